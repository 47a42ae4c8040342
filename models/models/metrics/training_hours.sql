with learned as (
  select source, employee_id, last_day(completed_on) as month_end, sum(hours) as hours
  from {{ ref('learning_record') }}
  where status = 'completed' and completed_on is not null
  group by all
),

person as (
  select present.*, coalesce(learned.hours, 0) as hours
  from {{ ref('int_person_month') }} as present
  left join learned
    on learned.source = present.source and learned.employee_id = present.employee_id
    and learned.month_end = present.month_end
  where present.kind = 'present' and present.source in (select source from learned)
),

counted as (
  {{ hr_models.by_dimension(
    'person',
    'source, month_end',
    'count(distinct employee_id) as people, sum(hours) as hours, sum(hours) / count(distinct employee_id) as hours_per_head',
    hr_models.dimensions()) }}
)

{{ hr_models.without_small_groups('counted', 'source, month_end') }}
