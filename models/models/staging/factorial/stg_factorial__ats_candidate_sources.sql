{{ hr_models.staged('factorial', 'ats_candidate_sources', '
  id varchar
  name varchar
') }}
