{{ hr_models.staged('personio', 'recruiting_applications', '
  id varchar
  application_date date
  candidate json
  job json
  current_stage json
  channel json
  is_anonymized boolean
') }}
