{{ hr_models.staged('personio', 'recruiting_stage_transitions', '
  application_id varchar
  entered_at timestamptz
  stage json
') }}
