{{ hr_models.staged('personio', 'recruiting_jobs', '
  id varchar
  name varchar
  department json
  company json
  hiring_team json
  created_at timestamptz
') }}
