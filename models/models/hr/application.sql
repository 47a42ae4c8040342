with history as (
  select
    application_id,
    max(entered_at) as stage_entered_at,
    min(entered_at) filter (stage = 'hired') as hired_at,
    min(entered_at) filter (stage = 'rejected') as rejected_at,
    max(stage) filter (stage_rank = best_rank) as furthest_stage
  from (
    select *, max(stage_rank) over (partition by application_id) as best_rank
    from (
      select *,
        list_position(['new', 'screening', 'assessment', 'interview', 'offer', 'hired'], stage) as stage_rank
      from {{ ref('application_stage') }}
      where source = 'personio'
    )
  )
  group by application_id
),

found as (
  select
    'personio' as source,
    application.id as application_id,
    application.job ->> 'id' as requisition_id,
    application.candidate ->> 'id' as candidate_id,
    employee.employee_id as hired_employee_id,
    application.application_date as applied_on,
    application.current_stage ->> 'kind' as status_word,
    cast(null as boolean) as is_rejected,
    history.furthest_stage,
    history.stage_entered_at,
    cast(history.hired_at at time zone 'UTC' as date) as hired_on,
    cast(history.rejected_at at time zone 'UTC' as date) as rejected_on,
    application.channel ->> 'name' as source_channel,
    application.is_anonymized
  from {{ ref('stg_personio__recruiting_applications') }} as application
  left join history on history.application_id = application.id
  left join {{ ref('stg_personio__recruiting_candidates') }} as candidate
    on candidate.id = application.candidate ->> 'id'
  left join (
    select person_key, min(employee_id) as employee_id from {{ ref('employee') }}
    where source = 'personio' group by person_key
  ) as employee on employee.person_key = lower(candidate.email) and history.hired_at is not null

  union all
  select
    'factorial',
    application.id,
    application.ats_job_posting_id,
    application.ats_candidate_id,
    application.employee_id,
    cast(application.created_at at time zone 'UTC' as date),
    phase.phase_type,
    application.ats_rejection_reason_id is not null or not coalesce(application.qualified, true),
    null,
    null,
    null,
    null,
    channel.name,
    null
  from {{ ref('stg_factorial__ats_applications') }} as application
  left join {{ ref('stg_factorial__ats_application_phases') }} as phase
    on phase.id = application.ats_application_phase_id
  left join {{ ref('stg_factorial__ats_candidate_sources') }} as channel on channel.id = application.source_id

  union all
  select
    'cornerstone',
    id,
    requisition_id,
    coalesce(user_id, guid),
    user_id,
    received_on,
    current_status,
    null,
    null,
    cast(status_on as timestamptz),
    coalesce(hired_on, status_on),
    null,
    source,
    null
  from {{ ref('stg_cornerstone__job_applicants') }}
)

select
  found.source,
  found.application_id,
  found.requisition_id,
  found.candidate_id,
  case when found.source <> 'cornerstone' or mapped.stage = 'hired' then found.hired_employee_id end as hired_employee_id,
  found.applied_on,
  found.status_word,
  case when found.is_rejected then 'rejected' else coalesce(mapped.stage, 'other') end as stage,
  coalesce(
    found.furthest_stage,
    case when mapped.stage in ('new', 'screening', 'assessment', 'interview', 'offer', 'hired')
      then mapped.stage end,
    'new') as furthest_stage,
  found.stage_entered_at,
  case when found.source <> 'cornerstone' or mapped.stage = 'hired' then found.hired_on end as hired_on,
  found.rejected_on,
  found.source_channel,
  found.is_anonymized
from found
left join {{ ref('hr_application_status') }} as mapped
  on mapped.source = found.source and lower(mapped.status) = lower(found.status_word)
