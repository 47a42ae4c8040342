{{ hr_models.staged('cornerstone', 'ou_type_core', '
  type_id bigint
  title varchar
') }}
