{{ hr_models.staged('factorial', 'finance_cost_center_memberships', '
  id varchar
  employee_id varchar
  cost_center_id varchar
  start_date date
  end_date date
  percentage double
') }}
