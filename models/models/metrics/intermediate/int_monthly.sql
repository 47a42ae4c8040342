{{ hr_models.by_dimension(
  ref('int_person_month'),
  'source, month_end',
  "count(distinct employee_id) filter (kind = 'present') as people,
    sum(fte) filter (kind = 'present') as fte,
    count(*) filter (kind = 'joined') as joiners,
    count(*) filter (kind = 'left') as leavers,
    count(*) filter (kind = 'left' and end_type = 'voluntary') as voluntary_leavers,
    count(*) filter (kind = 'left' and tenure_days < 365) as first_year_leavers",
  hr_models.dimensions()) }}
