with opening as (
  select
    requisition.source,
    coalesce(department.name, 'unknown') as department,
    coalesce(location.name, 'unknown') as location,
    coalesce(requisition.openings, 1) as positions,
    {{ hr_models.today() }} - requisition.opened_on as days_open
  from {{ ref('requisition') }} as requisition
  left join {{ ref('org_unit') }} as department
    on department.source = requisition.source and department.org_unit_id = requisition.department_id
  left join {{ ref('org_unit') }} as location
    on location.source = requisition.source and location.org_unit_id = requisition.location_id
  where requisition.status = 'open'
)

{{ hr_models.by_dimension(
  'opening',
  'source',
  'count(*) as requisitions, sum(positions) as positions, median(days_open) as median_days_open',
  ['department', 'location']) }}
