{{ hr_models.staged('factorial', 'timeoff_leaves', '
  id varchar
  employee_id varchar
  leave_type_id varchar
  leave_type_name varchar
  start_on date
  finish_on date
  half_day varchar
  days_taken double
  hours_amount_in_cents bigint
  approved boolean
  duration_by_day_attributes json
  deleted_at timestamptz
') }}
