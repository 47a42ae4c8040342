{{ hr_models.staged('personio', 'compensations', '
  id varchar
  month date
  person json
  type json
  amount json
  interval varchar pay_interval
  effective_from date
  weekly_working_hours double
  full_time_weekly_working_hours double
') }}
