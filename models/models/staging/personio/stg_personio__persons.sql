{{ hr_models.staged('personio', 'persons', '
  id varchar
  email varchar
  first_name varchar
  last_name varchar
  preferred_name varchar
  gender varchar
  custom_attributes json
  created_at timestamptz
  updated_at timestamptz
') }}
