with personio as (
  {{ hr_models.versions(ref('snap_personio__employments'), 'person_id, id', 'employment_start_date') }}
),

personio_valid as (
  select
    personio.*,
    least(
      coalesce(lead(personio.valid_from) over (partition by person_id, id order by personio.valid_from) - 1,
        employment.ends_on),
      employment.ends_on) as valid_to
  from personio
  join {{ ref('employment') }} as employment
    on employment.source = 'personio' and employment.employment_id = personio.id
),

factorial as (
  {{ hr_models.versions(ref('snap_factorial__employees_employees'), 'id', "date '0001-01-01'") }}
),

cornerstone as (
  {{ hr_models.versions(ref('snap_cornerstone__user_ou_core'), 'user_id, ou_id', "date '0001-01-01'") }}
),

found as (
  select 'personio' as source, person_id as employee_id, (unit ->> 'type') || ':' || (unit ->> 'id') as org_unit_id,
    cast(null as double) as share, valid_from, valid_to, cast(null as boolean) as is_lead
  from personio_valid, unnest(from_json(org_units, '["JSON"]')) as unnested(unit)
  union all
  select 'personio', person_id, 'location:' || (office ->> 'id'), null, valid_from, valid_to, null
  from personio_valid
  union all
  select 'personio', person_id, 'legal_entity:' || (legal_entity ->> 'id'), null, valid_from, valid_to, null
  from personio_valid
  union all
  select 'personio', person_id, 'cost_center:' || (unit ->> 'id'), cast(unit ->> 'weight' as double) / 100,
    valid_from, valid_to, null
  from personio_valid, unnest(from_json(cost_centers, '["JSON"]')) as unnested(unit)
  union all
  select 'factorial', employee_id, 'team:' || team_id, null, null, null, bool_or(lead)
  from {{ ref('stg_factorial__teams_memberships') }}
  group by employee_id, team_id
  union all
  select 'factorial', id, 'location:' || location_id, null, nullif(valid_from, date '0001-01-01'), noticed_until, null
  from factorial
  union all
  select 'factorial', employee_id, 'legal_entity:' || legal_entity_id, null, starts_on, ends_on, null
  from {{ ref('employment') }}
  where source = 'factorial'
  union all
  select 'factorial', employee_id, 'cost_center:' || cost_center_id, percentage / 100, start_date, end_date, null
  from {{ ref('stg_factorial__finance_cost_center_memberships') }}
  union all
  select 'cornerstone', cast(assigned.user_id as varchar), coalesce(mapped.kind, 'other') || ':' || assigned.ou_id, null,
    nullif(assigned.valid_from, date '0001-01-01'), assigned.noticed_until, null
  from cornerstone as assigned
  left join {{ ref('stg_cornerstone__ou_core') }} as unit on unit.ou_id = assigned.ou_id
  left join {{ ref('stg_cornerstone__ou_type_core') }} as type
    on type.type_id = coalesce(unit.type_id, assigned.ou_type_id)
  left join {{ ref('hr_ou_type') }} as mapped on lower(mapped.title) = lower(type.title)
)

select
  found.source,
  found.employee_id,
  found.org_unit_id,
  coalesce(found.valid_from, employee.hire_date, date '0001-01-01') as valid_from,
  case when not bool_or(found.valid_to is null) then max(found.valid_to) end as valid_to,
  sum(found.share) as share,
  bool_or(found.is_lead) as is_lead
from found
join {{ ref('employee') }} as employee
  on employee.source = found.source and employee.employee_id = found.employee_id
where found.org_unit_id is not null
  and (found.valid_to is null or found.valid_to >= coalesce(found.valid_from, date '0001-01-01'))
group by found.source, found.employee_id, found.org_unit_id,
  coalesce(found.valid_from, employee.hire_date, date '0001-01-01')
