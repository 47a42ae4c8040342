with personio_spell as (
  select
    person_id,
    min(employment_start_date) as hire_date,
    -- A struct, because max_by skips NULL.
    max_by({
      'ends_on': coalesce(try_cast(termination ->> 'termination_date' as date), employment_end_date),
      'status': status,
      'manager_id': supervisor ->> 'id'
    }, (employment_start_date, id)) as latest
  from {{ ref('stg_personio__employments') }}
  group by person_id
),

factorial_spell as (
  select
    employee_id,
    min(starts_on) as hire_date,
    max(coalesce(ends_on, date '9999-12-31')) as ends_on
  from {{ ref('stg_factorial__contracts_contracts') }}
  group by employee_id
),

factorial_leave as (
  select distinct employee_id
  from {{ ref('stg_factorial__contracts_contract_activity_periods') }}
  where type = 'inactivity'
    and activity_period_starts_on <= {{ hr_models.today() }}
    and coalesce(activity_period_ends_on, date '9999-12-31') >= {{ hr_models.today() }}
),

found as (
  select
    'personio' as source,
    person.id as employee_id,
    employee.employee_number,
    person.first_name,
    person.last_name,
    person.preferred_name,
    person.email as work_email,
    {{ hr_models.gender('person.gender') }} as gender,
    coalesce(try_cast(person.custom_attributes ->> 'birthday' as date), employee.birth_date) as birth_date,
    cast(null as varchar) as nationality,
    cast(null as double) as disability_degree,
    upper(employee.holiday_calendar ->> 'country') as country,
    coalesce(spell.hire_date, employee.hire_date) as hire_date,
    coalesce(employee.termination_date, spell.latest.ends_on) as termination_date,
    lower(coalesce(employee.status, spell.latest.status)) as status,
    coalesce(employee.supervisor ->> 'id', spell.latest.manager_id) as manager_id,
    person.created_at,
    person.updated_at,
    person.custom_attributes as custom
  from {{ ref('stg_personio__persons') }} as person
  left join {{ ref('stg_personio__employees') }} as employee on employee.id = person.id
  left join personio_spell as spell on spell.person_id = person.id

  union all
  select
    'factorial',
    employee.id,
    employee.company_identifier,
    employee.first_name,
    employee.last_name,
    employee.preferred_name,
    coalesce(employee.login_email, employee.email),
    {{ hr_models.gender('employee.gender') }},
    employee.birthday_on,
    employee.nationality,
    employee.disability_percentage_cents / 10000,
    upper(employee.country),
    spell.hire_date,
    employee.terminated_on,
    case
      when spell.hire_date > {{ hr_models.today() }} then 'onboarding'
      when least(coalesce(employee.terminated_on, date '9999-12-31'), coalesce(spell.ends_on, date '9999-12-31'))
        < {{ hr_models.today() }} then 'inactive'
      when factorial_leave.employee_id is not null then 'leave'
      else 'active'
    end,
    employee.manager_id,
    employee.created_at,
    employee.updated_at,
    cast(null as json)
  from {{ ref('stg_factorial__employees_employees') }} as employee
  left join factorial_spell as spell on spell.employee_id = employee.id
  left join factorial_leave on factorial_leave.employee_id = employee.id

  union all
  select
    'cornerstone',
    cast(users.user_id as varchar),
    coalesce(users.user_ref, employee.external_id),
    users.user_name_first,
    users.user_name_last,
    null,
    coalesce(users.user_email, employee.primary_email),
    {{ hr_models.gender('users.user_gender') }},
    users.user_birth_dt,
    null,
    null,
    upper(employee.address ->> 'country'),
    users.user_hire_dt_orig,
    users.user_termination_dt,
    case
      when users.user_hire_dt_last > {{ hr_models.today() }} then 'onboarding'
      when users.user_status_id <> 1 then 'inactive'
      when users.user_absent then 'leave'
      else 'active'
    end,
    cast(users.user_mgr_id as varchar),
    users.user_create_dt,
    users.user_modify_date,
    null
  from {{ ref('stg_cornerstone__users_core') }} as users
  left join {{ ref('stg_cornerstone__employees') }} as employee on employee.id = users.user_id
  where {{ hr_models.is_person("users.user_id") }}
)

select
  found.source,
  found.employee_id,
  coalesce(override.person_key, lower(found.work_email)) as person_key,
  found.* exclude (source, employee_id) replace (
    case when found.status in ('onboarding', 'active', 'leave', 'inactive') then found.status
      when found.status is not null then 'other' end as status)
from found
left join {{ ref('hr_person_override') }} as override
  on override.source = found.source and override.employee_id = found.employee_id
