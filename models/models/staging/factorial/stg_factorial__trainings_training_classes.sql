{{ hr_models.staged('factorial', 'trainings_training_classes', '
  id varchar
  training_id varchar
  currency varchar
') }}
