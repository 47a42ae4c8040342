{{ hr_models.staged('cornerstone', 'employment_statuses', '
  id bigint
  title varchar
') }}
