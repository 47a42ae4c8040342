with fact as (
  select source, employee_id, last_day(day) as month_end, sum(worked_minutes) / 60 as worked_hours,
    sum(planned_minutes) / 60 as planned_hours, sum(overtime_minutes) / 60 as overtime_hours
  from {{ ref('working_day') }}
  where planned_minutes is not null
  group by all
),

described as (
  {{ hr_models.with_dimensions('fact', 'month_end') }}
),

counted as (
  {{ hr_models.by_dimension(
    'described',
    'source, month_end',
    'count(distinct employee_id) as people,
    sum(worked_hours) as worked_hours,
    sum(planned_hours) as planned_hours,
    sum(overtime_hours) as overtime_hours,
    sum(overtime_hours) / count(distinct employee_id) as overtime_hours_per_head',
    hr_models.dimensions()) }}
)

{{ hr_models.without_small_groups('counted', 'source, month_end') }}
