{{ hr_models.staged('cornerstone', 'training_core', '
  object_id varchar
  lo_object_type varchar
  lo_hours double
  lo_price double
  lo_active varchar
') }}
