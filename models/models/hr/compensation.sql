with personio_seen as (
  select
    id || ':' || strftime(coalesce(effective_from, month), '%Y-%m-%d') || ':' || (amount ->> 'value') as compensation_id,
    person ->> 'id' as employee_id,
    coalesce(effective_from, month) as valid_from,
    type ->> 'name' as component,
    type ->> 'category' as category,
    cast(amount ->> 'value' as decimal(18, 2)) as amount,
    amount ->> 'currency' as currency,
    pay_interval,
    weekly_working_hours,
    full_time_weekly_working_hours,
    month,
    max(month) over () as last_month
  from {{ ref('stg_personio__compensations') }}
  where amount ->> 'value' is not null
),

personio as (
  select
    seen.* exclude (month, last_month),
    case when max(month) < max(last_month) then last_day(max(month)) end as last_seen_on,
    max(employment.ends_on) as employment_ends_on
  from personio_seen as seen
  left join {{ ref('employment') }} as employment
    on employment.source = 'personio' and employment.employee_id = seen.employee_id
    and seen.valid_from between employment.starts_on and coalesce(employment.ends_on, date '9999-12-31')
  group by all
),

factorial_version as (
  select
    version.*,
    lead(effective_on) over (
      partition by coalesce(contracts_contract_id, employee_id) order by effective_on, id) - 1 as next_on
  from {{ ref('stg_factorial__contracts_contract_versions') }} as version
),

found as (
  select
    'personio' as source,
    compensation_id,
    employee_id,
    valid_from,
    case
      when category = 'ONE_TIME' then valid_from
      else least(
        last_seen_on,
        employment_ends_on,
        lead(valid_from) over (partition by employee_id, component, category order by valid_from, compensation_id) - 1)
    end as valid_to,
    component,
    case category
      when 'FIXED_SALARY' then 'base' when 'HOURLY' then 'hourly' when 'RECURRING' then 'recurring'
      when 'ONE_TIME' then 'one_time' else 'other'
    end as category,
    amount,
    currency,
    case
      when category = 'HOURLY' then 'hour' when category = 'ONE_TIME' then 'once'
      when pay_interval = 'MONTHLY' then 'month' when pay_interval = 'YEARLY' then 'year'
      when pay_interval = 'WEEKLY' then 'week'
    end as pay_period,
    weekly_working_hours as weekly_hours,
    full_time_weekly_working_hours as full_time_hours
  from personio

  union all
  select
    'factorial',
    'version:' || version.id,
    version.employee_id,
    version.effective_on,
    least(coalesce(version.next_on, employment.ends_on), employment.ends_on),
    'Base salary',
    case when version.salary_frequency = 'hourly' then 'hourly' else 'base' end,
    cast(version.salary_amount / 100 as decimal(18, 2)),
    version.salary_currency,
    case version.salary_frequency
      when 'hourly' then 'hour' when 'monthly' then 'month' when 'yearly' then 'year' when 'weekly' then 'week'
    end,
    case when version.working_hours_frequency = 'week' then version.working_hours / 100 end,
    case when version.working_hours_frequency = 'week'
      then version.working_hours / nullif(version.working_time_percentage_in_cents / 100, 0) end
  from factorial_version as version
  left join {{ ref('employment') }} as employment
    on employment.source = 'factorial' and employment.employment_id = version.contracts_contract_id
  where version.salary_amount is not null

  union all
  select
    'factorial',
    'compensation:' || component.id,
    version.employee_id,
    component.starts_on,
    case when component.recurrence = 'once' then component.starts_on
      else least(coalesce(version.next_on, employment.ends_on), employment.ends_on) end,
    coalesce(taxonomy.name, component.description, component.compensation_type),
    case when component.recurrence = 'once' then 'one_time' else 'recurring' end,
    cast(component.amount / 100 as decimal(18, 2)),
    component.currency,
    case component.recurrence when 'once' then 'once' when 'monthly' then 'month' when 'yearly' then 'year' end,
    null,
    null
  from {{ ref('stg_factorial__contracts_compensations') }} as component
  join factorial_version as version on version.id = component.contract_version_id
  left join {{ ref('stg_factorial__contracts_taxonomies') }} as taxonomy
    on taxonomy.id = component.contracts_taxonomy_id
  left join {{ ref('employment') }} as employment
    on employment.source = 'factorial' and employment.employment_id = version.contracts_contract_id
  where component.amount is not null and coalesce(component.unit, 'money') = 'money'

  union all
  select
    'factorial',
    'supplement:' || id,
    employee_id,
    effective_on,
    effective_on,
    coalesce(description, 'Supplement'),
    'one_time',
    cast(amount_in_cents / 100 as decimal(18, 2)),
    currency,
    'once',
    null,
    null
  from {{ ref('stg_factorial__payroll_supplements') }}
  where amount_in_cents is not null and coalesce(unit, 'money') = 'money' and contracts_compensation_id is null
)

select
  *,
  case
    when pay_period = 'hour' then cast(amount as double) * full_time_hours * 52
    when pay_period <> 'once' then
      cast(amount as double) * case pay_period when 'month' then 12 when 'week' then 52 else 1 end
      / nullif(coalesce(weekly_hours / nullif(full_time_hours, 0), 1), 0)
  end as fte_annual_amount,
  case
    when pay_period = 'hour' then cast(amount as double)
    when pay_period <> 'once' then
      cast(amount as double) * case pay_period when 'month' then 12 when 'week' then 52 else 1 end
      / nullif(weekly_hours * 52, 0)
  end as hourly_amount
from found
