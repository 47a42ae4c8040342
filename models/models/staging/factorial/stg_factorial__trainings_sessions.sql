{{ hr_models.staged('factorial', 'trainings_sessions', '
  id varchar
  training_id varchar
  modality varchar
') }}
