{{ hr_models.staged('factorial', 'job_catalog_tree_nodes', '
  uuid varchar
  type varchar
  name varchar
  full_path_to_root json
') }}
