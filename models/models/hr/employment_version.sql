with personio as (
  {{ hr_models.versions(ref('snap_personio__employments'), 'person_id, id', 'employment_start_date') }}
),

cornerstone as (
  {{ hr_models.versions(ref('snap_cornerstone__users_core'), 'user_id', 'user_hire_dt_last') }}
),

cornerstone_position as (
  select assigned.user_id, min_by(unit.ou_id, unit.ou_id) as job_id, min_by(unit.title, unit.ou_id) as job_title
  from {{ ref('stg_cornerstone__user_ou_core') }} as assigned
  join {{ ref('stg_cornerstone__ou_core') }} as unit on unit.ou_id = assigned.ou_id
  join {{ ref('stg_cornerstone__ou_type_core') }} as type on type.type_id = unit.type_id
  join {{ ref('hr_ou_type') }} as mapped on lower(mapped.title) = lower(type.title)
  where mapped.kind = 'position'
  group by assigned.user_id
),

factorial_manager as (
  {{ hr_models.versions(ref('snap_factorial__employees_employees'), 'id', "date '0001-01-01'") }}
),

found as (
  select
    'personio' as source,
    id || ':' || coalesce(strftime(valid_from, '%Y-%m-%d'), 'start') as version_id,
    person_id as employee_id,
    id as employment_id,
    valid_from,
    position ->> 'title' as job_title,
    job ->> 'id' as job_id,
    weekly_working_hours as weekly_hours,
    full_time_weekly_working_hours as full_time_hours,
    weekly_working_hours / nullif(full_time_weekly_working_hours, 0) as fte,
    supervisor ->> 'id' as manager_id,
    cast(null as varchar) as working_days
  from personio

  union all
  select
    'factorial',
    version.id,
    version.employee_id,
    coalesce(version.contracts_contract_id, ''),
    version.effective_on,
    version.job_title,
    version.job_catalog_tree_node_uuid,
    case when version.working_hours_frequency = 'week' then version.working_hours / 100 end,
    case when version.working_hours_frequency = 'week'
      then version.working_hours / nullif(version.working_time_percentage_in_cents / 100, 0) end,
    version.working_time_percentage_in_cents / 10000,
    manager.manager_id,
    version.working_week_days
  from {{ ref('stg_factorial__contracts_contract_versions') }} as version
  left join factorial_manager as manager
    on manager.id = version.employee_id and manager.dbt_valid_to is null

  union all
  select
    'cornerstone',
    cast(cornerstone.user_id as varchar) || ':' || strftime(cornerstone.valid_from, '%Y-%m-%d'),
    cast(cornerstone.user_id as varchar),
    cast(cornerstone.user_id as varchar),
    cornerstone.valid_from,
    position.job_title,
    cast(position.job_id as varchar),
    null,
    null,
    null,
    cast(cornerstone.user_mgr_id as varchar),
    null
  from cornerstone
  left join cornerstone_position as position on position.user_id = cornerstone.user_id
),

ordered as (
  select
    found.* exclude (valid_from),
    found.valid_from,
    least(
      coalesce(lead(found.valid_from) over (
        partition by found.source, found.employment_id order by found.valid_from, found.version_id) - 1,
        employment.ends_on),
      employment.ends_on) as valid_to
  from found
  join {{ ref('employment') }} as employment
    on employment.source = found.source and employment.employment_id = found.employment_id
)

select
  source, version_id, employee_id, employment_id, valid_from, valid_to,
  * exclude (source, version_id, employee_id, employment_id, valid_from, valid_to)
from ordered
where valid_to is null or valid_from is null or valid_to >= valid_from
