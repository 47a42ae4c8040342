{{ hr_models.staged('factorial', 'contracts_contracts', '
  id varchar
  employee_id varchar
  legal_entity_id varchar
  starts_on date
  ends_on date
') }}
