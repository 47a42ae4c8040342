{{ hr_models.staged('personio', 'absence_periods', '
  id varchar
  person json
  absence_type json
  starts_from json
  ends_at json
  approval json
') }}
