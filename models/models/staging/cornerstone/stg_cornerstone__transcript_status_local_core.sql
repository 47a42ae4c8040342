{{ hr_models.staged('cornerstone', 'transcript_status_local_core', '
  status_id bigint
  culture_id bigint
  status_name varchar
') }}
