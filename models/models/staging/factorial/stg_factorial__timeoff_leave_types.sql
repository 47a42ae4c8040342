{{ hr_models.staged('factorial', 'timeoff_leave_types', '
  id varchar
  name varchar
  identifier varchar
  payable boolean
') }}
