select
  application.*,
  coalesce(department.name, 'unknown') as department,
  coalesce(location.name, 'unknown') as location,
  requisition.opened_on
from {{ ref('application') }} as application
left join {{ ref('requisition') }} as requisition
  on requisition.source = application.source and requisition.requisition_id = application.requisition_id
left join {{ ref('org_unit') }} as department
  on department.source = requisition.source and department.org_unit_id = requisition.department_id
left join {{ ref('org_unit') }} as location
  on location.source = requisition.source and location.org_unit_id = requisition.location_id
