with present as (
  select
    'present' as kind,
    spell.source,
    spell.employee_id,
    month.month_end,
    month.month_end as day,
    cast(null as varchar) as end_type,
    month.month_end - spell.starts_on as tenure_days
  from {{ ref('int_spell') }} as spell
  join {{ ref('int_month') }} as month
    on spell.starts_on <= month.month_end and coalesce(spell.ends_on, date '9999-12-31') >= month.month_end
),

moved as (
  select 'joined' as kind, spell.source, spell.employee_id, month.month_end, spell.starts_on as day, null as end_type,
    0 as tenure_days
  from {{ ref('int_spell') }} as spell
  join {{ ref('int_month') }} as month on spell.starts_on between month.month_start and month.month_end
  union all
  select 'left', spell.source, spell.employee_id, month.month_end, spell.ends_on, spell.end_type,
    spell.ends_on - spell.starts_on + 1
  from {{ ref('int_spell') }} as spell
  join {{ ref('int_month') }} as month on spell.ends_on between month.month_start and month.month_end
),

fact as (
  select * from present
  union all
  select * from moved
),

version as (
  select fact.kind, fact.source, fact.employee_id, fact.day,
    max_by(version.fte, version.valid_from) as fte,
    max_by(version.job_title, version.valid_from) as job_title,
    max_by(version.manager_id, version.valid_from) as manager_id
  from fact
  join {{ ref('employment_version') }} as version
    on version.source = fact.source and version.employee_id = fact.employee_id
    and {{ hr_models.valid_on('version', 'fact.day') }}
  group by all
),

described as (
  {{ hr_models.with_dimensions('fact', 'day') }}
)

select described.*, version.fte, version.job_title, version.manager_id
from described
left join version
  on version.kind = described.kind and version.source = described.source
  and version.employee_id = described.employee_id and version.day = described.day
