{{ hr_models.staged('factorial', 'contracts_compensations', '
  id varchar
  contract_version_id varchar
  contracts_taxonomy_id varchar
  compensation_type varchar
  description varchar
  unit varchar
  amount bigint
  currency varchar
  recurrence varchar
  starts_on date
') }}
