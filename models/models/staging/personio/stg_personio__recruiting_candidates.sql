{{ hr_models.staged('personio', 'recruiting_candidates', '
  id varchar
  email varchar
') }}
