{{ hr_models.staged('factorial', 'job_catalog_node_attributes', '
  id varchar
  node_uuid varchar
  value_salary_range json
') }}
