{{ hr_models.staged('cornerstone', 'employees', '
  id varchar
  primaryEmail varchar primary_email
  externalId varchar external_id
  address json
') }}
