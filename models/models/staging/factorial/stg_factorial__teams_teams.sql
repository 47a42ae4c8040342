{{ hr_models.staged('factorial', 'teams_teams', '
  id varchar
  name varchar
  parent_team_id varchar
  lead_ids json
') }}
