{{ hr_models.staged('cornerstone', 'user_ou_core', '
  user_id varchar
  ou_id bigint
  ou_type_id bigint
  status_id bigint
') }}
