{{ hr_models.staged('factorial', 'contracts_portuguese_contract_types', '
  id varchar
  name varchar
') }}
