with employment as (
  select source, employee_id, employment_id, starts_on, coalesce(ends_on, date '9999-12-31') as ends_on, end_type
  from {{ ref('employment') }}
  where employment_type is distinct from 'external' and starts_on is not null
    and starts_on <= coalesce(ends_on, date '9999-12-31')
),

marked as (
  select *,
    coalesce(starts_on > max(least(ends_on, date '9999-12-30')) over (
      partition by source, employee_id order by starts_on, ends_on rows between unbounded preceding and 1 preceding)
      + 1, true) as is_start
  from employment
),

numbered as (
  select *,
    count(*) filter (is_start) over (partition by source, employee_id order by starts_on, ends_on
      rows between unbounded preceding and current row) as number
  from marked
)

select
  source,
  employee_id,
  number,
  min(starts_on) as starts_on,
  nullif(max(ends_on), date '9999-12-31') as ends_on,
  max_by({'end_type': end_type}, (ends_on, starts_on)).end_type as end_type -- max_by skips NULL, but no struct
from numbered
group by source, employee_id, number
