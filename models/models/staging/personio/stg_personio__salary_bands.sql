{{ hr_models.staged('personio', 'salary_bands', '
  id varchar
  _extra json extra
') }}
