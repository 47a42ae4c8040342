{{ hr_models.staged('personio', 'attendance_periods', '
  id varchar
  person json
  type varchar
  start json
  end json
  attribution_date date
  approval json
  is_holiday boolean
  is_on_time_off boolean
') }}
