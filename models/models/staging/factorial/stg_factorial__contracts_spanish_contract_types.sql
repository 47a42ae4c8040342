{{ hr_models.staged('factorial', 'contracts_spanish_contract_types', '
  id varchar
  name varchar
') }}
