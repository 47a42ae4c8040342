with recursive person as (
  select source, month_end, employee_id, nullif(manager_id, employee_id) as manager_id, department, location, legal_entity
  from {{ ref('int_person_month') }}
  where kind = 'present'
),

-- From the top down: people who report to each other in a circle are never reached.
placed as (
  select person.*, 0 as depth
  from person
  left join person as manager
    on manager.source = person.source and manager.month_end = person.month_end
    and manager.employee_id = person.manager_id
  where manager.employee_id is null
  union all
  select person.*, placed.depth + 1
  from placed
  join person
    on person.source = placed.source and person.month_end = placed.month_end
    and person.manager_id = placed.employee_id
),

counted as (
  {{ hr_models.by_dimension(
    'placed',
    'source, month_end',
    'count(*) as people,
    avg(depth) as mean_depth,
    median(depth) as median_depth,
    max(depth) as max_depth',
    ['department', 'location', 'legal_entity']) }}
)

{{ hr_models.without_small_groups('counted', 'source, month_end') }}
