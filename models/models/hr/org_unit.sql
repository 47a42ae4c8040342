select
  'personio' as source,
  type || ':' || id as org_unit_id,
  case when type in ('department', 'team') then type else 'other' end as kind,
  name,
  abbreviation as code,
  type || ':' || parent_id as parent_id,
  cast(null as varchar) as country,
  cast(null as varchar) as head_employee_id,
  cast(null as boolean) as active
from {{ ref('stg_personio__org_units') }}
union all
select 'personio', 'legal_entity:' || id, 'legal_entity', name, null, null, upper(country), null, null
from {{ ref('stg_personio__legal_entities') }}
union all
select 'personio', 'location:' || id, 'location', name, null, null, upper(extra -> 'address' ->> 'country'), null, null
from {{ ref('stg_personio__workplaces') }}
union all
select 'personio', 'cost_center:' || id, 'cost_center', name, null, null, null, null, null
from {{ ref('stg_personio__cost_centers') }}
union all
select 'factorial', 'team:' || id, 'team', name, null, 'team:' || parent_team_id, null, lead_ids ->> 0, null
from {{ ref('stg_factorial__teams_teams') }}
union all
select 'factorial', 'legal_entity:' || id, 'legal_entity', legal_name, null, null, upper(country), null, null
from {{ ref('stg_factorial__companies_legal_entities') }}
union all
select 'factorial', 'location:' || id, 'location', name, null, null, upper(country), null, null
from {{ ref('stg_factorial__locations_locations') }}
union all
select 'factorial', 'cost_center:' || id, 'cost_center', name, code, null, null, null, status = 'active'
from {{ ref('stg_factorial__finance_cost_centers') }}
union all
select
  'cornerstone',
  coalesce(mapped.kind, 'other') || ':' || unit.ou_id,
  coalesce(mapped.kind, 'other'),
  unit.title,
  unit.ref,
  coalesce(mapped.kind, 'other') || ':' || unit.parent_id,
  null,
  cast(unit.owner_id as varchar),
  unit.active
from {{ ref('stg_cornerstone__ou_core') }} as unit
left join {{ ref('stg_cornerstone__ou_type_core') }} as type on type.type_id = unit.type_id
left join {{ ref('hr_ou_type') }} as mapped on lower(mapped.title) = lower(type.title)
