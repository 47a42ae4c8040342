{{ hr_models.staged('factorial', 'contracts_german_contract_types', '
  id varchar
  name varchar
') }}
