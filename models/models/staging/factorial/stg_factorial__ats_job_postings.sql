{{ hr_models.staged('factorial', 'ats_job_postings', '
  id varchar
  title varchar
  status varchar
  team_id varchar
  location_id varchar
  legal_entity_id varchar
  salary_from_amount_in_cents bigint
  salary_to_amount_in_cents bigint
  published_at timestamptz
  created_at timestamptz
') }}
