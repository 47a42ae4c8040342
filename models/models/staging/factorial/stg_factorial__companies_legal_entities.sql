{{ hr_models.staged('factorial', 'companies_legal_entities', '
  id varchar
  legal_name varchar
  country varchar
') }}
