{{ hr_models.staged('personio', 'legal_entities', '
  id varchar
  name varchar
  country varchar
') }}
