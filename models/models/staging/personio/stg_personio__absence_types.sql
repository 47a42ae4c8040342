{{ hr_models.staged('personio', 'absence_types', '
  id varchar
  name varchar
  category varchar
  unit varchar
') }}
