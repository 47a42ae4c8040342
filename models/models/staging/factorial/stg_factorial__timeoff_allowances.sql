{{ hr_models.staged('factorial', 'timeoff_allowances', '
  id varchar
  name varchar
  allowance_type varchar
') }}
