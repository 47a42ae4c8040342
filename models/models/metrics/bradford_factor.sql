{{ config(enabled=var('bradford_factor', false)) }}
with sick as (
  select
    source, employee_id, day, sum(days) as days,
    -- The number of Mondays to Fridays until this day; a weekend counts as its Friday.
    (day - date '1970-01-05') // 7 * 5 + least(isodow(day), 5) as working_day
  from {{ ref('absence_day') }}
  where category = 'sick' and status = 'approved'
    and day > {{ hr_models.today() }} - 364 and day <= {{ hr_models.today() }}
  group by all
),

marked as (
  select *,
    coalesce(working_day - lag(working_day) over (partition by source, employee_id order by day) > 1, true) as is_start
  from sick
)

select
  source,
  employee_id,
  count(*) filter (is_start) as spells,
  sum(days) as days,
  count(*) filter (is_start) * count(*) filter (is_start) * sum(days) as bradford_factor
from marked
where exists (
  select 1
  from {{ ref('int_spell') }} as spell
  where spell.source = marked.source and spell.employee_id = marked.employee_id
    and {{ hr_models.today() }} between spell.starts_on and coalesce(spell.ends_on, date '9999-12-31')
)
group by source, employee_id
