with planned as (
  select
    spell.source,
    spell.employee_id,
    month.month_end,
    len(list_filter(
      range(greatest(spell.starts_on, month.month_start),
        least(coalesce(spell.ends_on, date '9999-12-31'), month.month_end) + 1, interval 1 day),
      lambda day: isodow(day) <= 5)) as planned_days
  from {{ ref('int_spell') }} as spell
  join {{ ref('int_month') }} as month
    on spell.starts_on <= month.month_end and coalesce(spell.ends_on, date '9999-12-31') >= month.month_start
  where spell.source in (select distinct source from {{ ref('absence') }})
),

person as (
  select source, employee_id, month_end, sum(planned_days) as planned_days
  from planned
  group by all
),

absent as (
  select source, employee_id, last_day(day) as month_end,
    sum(days) filter (category = 'sick') as sick_days,
    sum(days) filter (category = 'parental') as parental_days,
    sum(days) as absence_days
  from {{ ref('absence_day') }}
  where status = 'approved'
  group by all
),

fact as (
  select person.*,
    coalesce(absent.sick_days, 0) as sick_days,
    coalesce(absent.parental_days, 0) as parental_days,
    coalesce(absent.absence_days, 0) as absence_days
  from person
  left join absent
    on absent.source = person.source and absent.employee_id = person.employee_id
    and absent.month_end = person.month_end
),

described as (
  {{ hr_models.with_dimensions('fact', 'month_end') }}
),

counted as (
  {{ hr_models.by_dimension(
    'described',
    'source, month_end',
    'count(distinct employee_id) as people,
    sum(planned_days) as planned_days,
    sum(sick_days) as sick_days,
    sum(parental_days) as parental_days,
    sum(absence_days) as absence_days,
    sum(sick_days) / nullif(sum(planned_days), 0) as sick_rate,
    sum(absence_days) / nullif(sum(planned_days), 0) as absence_rate',
    hr_models.dimensions()) }}
)

{{ hr_models.without_small_groups('counted', 'source, month_end') }}
