with filled as (
  select source, requisition_id, department, location, opened_on, min(hired_on) as filled_on
  from {{ ref('int_application') }}
  where stage = 'hired' and hired_on is not null and opened_on is not null
  group by all
),

measured as (
  select *, last_day(filled_on) as month_end, filled_on - opened_on as days
  from filled
),

counted as (
  {{ hr_models.by_dimension(
    'measured',
    'source, month_end',
    'count(*) as people, avg(days) as mean_days, median(days) as median_days',
    ['department', 'location']) }}
)

{{ hr_models.without_small_groups('counted', 'source, month_end') }}
