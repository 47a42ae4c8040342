{{ hr_models.staged('factorial', 'payroll_supplements', '
  id varchar
  employee_id varchar
  contracts_compensation_id varchar
  description varchar
  unit varchar
  amount_in_cents bigint
  currency varchar
  effective_on date
') }}
