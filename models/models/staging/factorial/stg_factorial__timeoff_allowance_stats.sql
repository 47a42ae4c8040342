{{ hr_models.staged('factorial', 'timeoff_allowance_stats', '
  id varchar
  employee_id varchar
  allowance_id varchar
  year bigint
  prorated_allowance_days double
  accumulated_carry_over double
  used_days double
  available_days double
') }}
