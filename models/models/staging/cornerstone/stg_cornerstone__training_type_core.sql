{{ hr_models.staged('cornerstone', 'training_type_core', '
  object_type varchar
  description varchar
') }}
