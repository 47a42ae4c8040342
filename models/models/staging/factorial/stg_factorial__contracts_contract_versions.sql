{{ hr_models.staged('factorial', 'contracts_contract_versions', '
  id varchar
  employee_id varchar
  contracts_contract_id varchar
  effective_on date
  job_title varchar
  job_catalog_tree_node_uuid varchar
  trial_period_ends_on date
  salary_amount bigint
  salary_frequency varchar
  salary_currency varchar
  working_hours bigint
  working_hours_frequency varchar
  working_time_percentage_in_cents bigint
  working_week_days varchar
') }}
