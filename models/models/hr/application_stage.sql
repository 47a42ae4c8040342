select
  'personio' as source,
  transition.application_id,
  transition.entered_at,
  coalesce(mapped.stage, 'other') as stage,
  max(transition.stage ->> 'name') as stage_name
from {{ ref('stg_personio__recruiting_stage_transitions') }} as transition
left join {{ ref('hr_application_status') }} as mapped
  on mapped.source = 'personio' and lower(mapped.status) = lower(transition.stage ->> 'kind')
group by all
