{{ hr_models.staged('factorial', 'finance_cost_centers', '
  id varchar
  name varchar
  code varchar
  status varchar
') }}
