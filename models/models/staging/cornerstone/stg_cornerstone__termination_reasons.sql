{{ hr_models.staged('cornerstone', 'termination_reasons', '
  id bigint
  title varchar
') }}
