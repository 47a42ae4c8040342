{{ hr_models.staged('cornerstone', 'ou_core', '
  ou_id bigint
  type_id bigint
  title varchar
  ref varchar
  parent_id bigint
  owner_id varchar
  active boolean
') }}
