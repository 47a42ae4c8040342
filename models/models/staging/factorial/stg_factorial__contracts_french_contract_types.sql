{{ hr_models.staged('factorial', 'contracts_french_contract_types', '
  id varchar
  name varchar
') }}
