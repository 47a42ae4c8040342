{{ hr_models.staged('personio', 'jobs', '
  id varchar
  name varchar
  job_family json
  level json
  job_track json
  global_grade json
  salary_band_ids json
') }}
