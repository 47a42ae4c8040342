{{ hr_models.staged('personio', 'org_units', '
  id varchar
  type varchar
  name varchar
  abbreviation varchar
  parent_id varchar
') }}
