{{ hr_models.staged('factorial', 'locations_locations', '
  id varchar
  name varchar
  country varchar
') }}
