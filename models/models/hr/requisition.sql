select
  'personio' as source,
  id as requisition_id,
  name as title,
  cast(null as varchar) as status,
  'department:' || (department ->> 'id') as department_id,
  cast(null as varchar) as location_id,
  'legal_entity:' || (company ->> 'id') as legal_entity_id,
  (list_filter(from_json(hiring_team, '["JSON"]'), lambda member: upper(member ->> 'role') like '%HIRING%MANAGER%')[1]
    -> 'person' ->> 'id') as hiring_manager_id,
  cast(null as bigint) as openings,
  cast(created_at at time zone 'UTC' as date) as opened_on,
  cast(null as date) as target_hire_on,
  cast(created_at at time zone 'UTC' as date) as created_on,
  cast(null as decimal(18, 2)) as salary_from,
  cast(null as decimal(18, 2)) as salary_to
from {{ ref('stg_personio__recruiting_jobs') }}

union all
select
  'factorial',
  id,
  title,
  case status when 'published' then 'open' when 'archived' then 'closed' when 'draft' then 'draft'
    else case when status is not null then 'other' end end,
  'team:' || team_id,
  'location:' || location_id,
  'legal_entity:' || legal_entity_id,
  null,
  null,
  cast(coalesce(published_at, created_at) at time zone 'UTC' as date),
  null,
  cast(created_at at time zone 'UTC' as date),
  salary_from_amount_in_cents / 100,
  salary_to_amount_in_cents / 100
from {{ ref('stg_factorial__ats_job_postings') }}

union all
select
  'cornerstone',
  id,
  title,
  case lower(status) when 'open' then 'open' when 'draft' then 'draft' when 'closed' then 'closed'
    when 'cancelled' then 'closed' else case when status is not null then 'other' end end,
  'department:' || division_id,
  'location:' || location_id,
  null,
  hiring_manager ->> 'Id',
  openings,
  coalesce(opened_on, created_on),
  target_hire_on,
  created_on,
  range_low,
  range_high
from {{ ref('stg_cornerstone__job_requisitions') }}
