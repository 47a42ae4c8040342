{{ hr_models.staged('cornerstone', 'training_local_core', '
  object_id varchar
  culture_id bigint
  is_default boolean
  title varchar
') }}
