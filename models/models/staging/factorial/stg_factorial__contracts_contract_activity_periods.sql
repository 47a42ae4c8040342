{{ hr_models.staged('factorial', 'contracts_contract_activity_periods', '
  id varchar
  employee_id varchar
  type varchar
  activity_period_starts_on date
  activity_period_ends_on date
') }}
