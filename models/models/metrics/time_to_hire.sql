with hired as (
  select *, last_day(hired_on) as month_end, hired_on - applied_on as days
  from {{ ref('int_application') }}
  where stage = 'hired' and hired_on is not null and applied_on is not null
),

counted as (
  {{ hr_models.by_dimension(
    'hired',
    'source, month_end',
    'count(*) as people, avg(days) as mean_days, median(days) as median_days',
    ['department', 'location']) }}
)

{{ hr_models.without_small_groups('counted', 'source, month_end') }}
