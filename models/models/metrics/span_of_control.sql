with manager as (
  select reports.source, reports.month_end, reports.manager_id as employee_id, count(distinct reports.employee_id) as reports
  from {{ ref('int_person_month') }} as reports
  where reports.kind = 'present' and reports.manager_id is not null
  group by all
),

described as (
  {{ hr_models.with_dimensions('manager', 'month_end') }}
),

counted as (
  {{ hr_models.by_dimension(
    'described',
    'source, month_end',
    'count(distinct employee_id) as people,
    avg(reports) as mean_reports,
    median(reports) as median_reports,
    max(reports) as max_reports',
    ['department', 'location', 'legal_entity']) }}
)

{{ hr_models.without_small_groups('counted', 'source, month_end') }}
