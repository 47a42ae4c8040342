with factorial_type as (
  select 'de' as country, id, name from {{ ref('stg_factorial__contracts_german_contract_types') }}
  union all
  select 'es', id, name from {{ ref('stg_factorial__contracts_spanish_contract_types') }}
  union all
  select 'fr', id, name from {{ ref('stg_factorial__contracts_french_contract_types') }}
  union all
  select 'pt', id, name from {{ ref('stg_factorial__contracts_portuguese_contract_types') }}
),

found as (
  select
    'personio' as source,
    id as employment_id,
    person_id as employee_id,
    employment_start_date as starts_on,
    coalesce(try_cast(termination ->> 'termination_date' as date), employment_end_date) as ends_on,
    try_cast(termination ->> 'last_working_date' as date) as last_working_day,
    termination ->> 'type' as end_word,
    termination ->> 'reason' as end_reason,
    type as employment_word,
    contract_end_date as fixed_term_until,
    probation_end_date as probation_until,
    legal_entity ->> 'id' as legal_entity_id
  from {{ ref('stg_personio__employments') }}

  union all
  select
    'factorial',
    contract.id,
    contract.employee_id,
    contract.starts_on,
    case when contract.is_last then coalesce(employee.terminated_on, contract.ends_on) else contract.ends_on end,
    null,
    case when contract.is_last and employee.terminated_on is not null then employee.termination_reason_type end,
    case when contract.is_last and employee.terminated_on is not null then employee.termination_reason end,
    version.type_name,
    contract.ends_on,
    version.probation_until,
    contract.legal_entity_id
  from (
    select *,
      row_number() over (partition by employee_id order by starts_on desc, id desc) = 1 as is_last
    from {{ ref('stg_factorial__contracts_contracts') }}
  ) as contract
  left join {{ ref('stg_factorial__employees_employees') }} as employee on employee.id = contract.employee_id
  left join (
    select
      version.contracts_contract_id,
      max(version.trial_period_ends_on) as probation_until,
      max_by(type.name, (version.effective_on, version.id)) as type_name
    from {{ ref('stg_factorial__contracts_contract_versions') }} as version
    left join factorial_type as type
      on type.id = version.de_contract_type_id and type.country = 'de'
      or type.id = version.es_contract_type_id and type.country = 'es'
      or type.id = version.fr_contract_type_id and type.country = 'fr'
      or type.id = version.pt_contract_type_id and type.country = 'pt'
    group by version.contracts_contract_id
  ) as version on version.contracts_contract_id = contract.id

  union all
  select
    'cornerstone',
    cast(users.user_id as varchar),
    cast(users.user_id as varchar),
    users.user_hire_dt_last,
    users.user_termination_dt,
    null,
    case when users.user_termination_dt is not null then reason.title end,
    case when users.user_termination_dt is not null then reason.title end,
    status.title,
    null,
    null,
    cast(entity.ou_id as varchar)
  from {{ ref('stg_cornerstone__users_core') }} as users
  left join {{ ref('stg_cornerstone__termination_reasons') }} as reason on reason.id = users.user_termination_reason_id
  left join {{ ref('stg_cornerstone__employment_statuses') }} as status on status.id = users.user_employment_status_id
  left join (
    select assigned.user_id, min(assigned.ou_id) as ou_id
    from {{ ref('stg_cornerstone__user_ou_core') }} as assigned
    join {{ ref('stg_cornerstone__ou_type_core') }} as type on type.type_id = assigned.ou_type_id
    join {{ ref('hr_ou_type') }} as mapped on lower(mapped.title) = lower(type.title)
    where mapped.kind = 'legal_entity'
    group by assigned.user_id
  ) as entity on entity.user_id = users.user_id
  where {{ hr_models.is_person("users.user_id") }} and users.user_hire_dt_last is not null
)

select
  found.* exclude (end_word, end_reason, employment_word, fixed_term_until, probation_until, legal_entity_id),
  case when found.end_word is not null then coalesce(mapped.end_type, 'other') end as end_type,
  found.end_word,
  found.end_reason,
  case when found.employment_word is not null then coalesce(kind.employment_type, 'other') end as employment_type,
  found.employment_word,
  found.fixed_term_until,
  found.probation_until,
  found.legal_entity_id
from found
left join {{ ref('hr_end_type') }} as mapped
  on mapped.source = found.source and lower(mapped.reason) = lower(found.end_word)
left join {{ ref('hr_employment_type') }} as kind
  on kind.source = found.source and lower(kind.word) = lower(found.employment_word)
