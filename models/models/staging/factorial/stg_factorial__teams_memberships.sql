{{ hr_models.staged('factorial', 'teams_memberships', '
  id varchar
  employee_id varchar
  team_id varchar
  lead boolean
') }}
