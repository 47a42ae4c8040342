{{ hr_models.staged('factorial', 'contracts_taxonomies', '
  id varchar
  name varchar
') }}
