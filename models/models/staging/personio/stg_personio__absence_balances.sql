{{ hr_models.staged('personio', 'absence_balances', '
  id varchar
  employee_id varchar
  name varchar
  category varchar
  balance double
  available_balance double
') }}
