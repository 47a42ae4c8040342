{{ hr_models.staged('factorial', 'trainings_trainings', '
  id varchar
  name varchar
  status varchar
  is_mandatory boolean
  total_duration double
  total_cost_decimal double
') }}
