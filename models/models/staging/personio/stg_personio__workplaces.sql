{{ hr_models.staged('personio', 'workplaces', '
  id varchar
  name varchar
  _extra json extra
') }}
