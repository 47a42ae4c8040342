{{ hr_models.staged('personio', 'cost_centers', '
  id varchar
  name varchar
') }}
