with entitlement as (
  select employee.id as employee_id, item ->> 'id' as allowance_id, cast(item ->> 'entitlement' as double) as entitlement
  from {{ ref('stg_personio__employees') }} as employee,
    unnest(from_json(employee.absence_entitlement, '["JSON"]')) as unnested(item)
)

select
  'personio' as source,
  balance.employee_id,
  balance.id as allowance_id,
  {{ hr_models.today() }} as as_of,
  balance.name,
  coalesce(mapped.category, 'other') as category,
  entitlement.entitlement,
  cast(null as double) as used,
  balance.available_balance as remaining
from {{ ref('stg_personio__absence_balances') }} as balance
left join entitlement
  on entitlement.employee_id = balance.employee_id and entitlement.allowance_id = balance.id
left join {{ ref('hr_absence_type') }} as mapped
  on mapped.source = 'personio' and lower(mapped.name) = lower(balance.category)

union all
select
  'factorial',
  stats.employee_id,
  stats.allowance_id,
  coalesce(try_cast(split_part(stats.id, '/', 3) as date), make_date(stats.year, 12, 31)),
  allowance.name,
  'other',
  coalesce(stats.prorated_allowance_days, 0) + coalesce(stats.accumulated_carry_over, 0),
  stats.used_days,
  stats.available_days
from {{ ref('stg_factorial__timeoff_allowance_stats') }} as stats
left join {{ ref('stg_factorial__timeoff_allowances') }} as allowance on allowance.id = stats.allowance_id
-- A privacy profile may drop the allowance, which is the kind of absence.
where stats.allowance_id is not null
