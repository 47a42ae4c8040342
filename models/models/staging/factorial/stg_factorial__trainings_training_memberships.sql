{{ hr_models.staged('factorial', 'trainings_training_memberships', '
  id varchar
  employee_id varchar
  training_id varchar
  status varchar
  training_due_date date
  training_completed_at date
') }}
