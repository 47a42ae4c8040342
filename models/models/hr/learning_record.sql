select
  'factorial' as source,
  membership.employee_id,
  membership.training_id as course_id,
  row_number() over (partition by membership.employee_id, membership.training_id order by membership.id) as registration,
  coalesce(nullif(membership.status, ''), 'unknown') as status_word,
  case membership.status
    when 'completed' then 'completed' when 'started' then 'in_progress' when 'partiallycompleted' then 'in_progress'
    when 'notstarted' then 'registered' when 'missing' then 'past_due' when 'notassigned' then 'assigned'
    else 'other'
  end as status,
  cast(null as timestamptz) as registered_at,
  cast(null as timestamptz) as assigned_at,
  membership.training_due_date as due_on,
  membership.training_completed_at as completed_on,
  training.total_duration as hours,
  cast(null as double) as score,
  cast(null as boolean) as passed,
  training.is_mandatory,
  true as is_latest
from {{ ref('stg_factorial__trainings_training_memberships') }} as membership
left join {{ ref('stg_factorial__trainings_trainings') }} as training on training.id = membership.training_id

union all
select
  'cornerstone',
  cast(record.transc_user_id as varchar),
  record.transc_object_id,
  record.reg_num,
  coalesce(status.status_name, cast(record.user_lo_status_id as varchar)),
  case
    when record.user_lo_comp_dt is not null then 'completed'
    when status.status_name ilike '%past due%' then 'past_due'
    when status.status_name ilike '%cancel%' or status.status_name ilike '%withdrawn%' then 'cancelled'
    when status.status_name ilike '%complete%' and status.status_name not ilike '%incomplete%' then 'completed'
    when status.status_name ilike '%in progress%' then 'in_progress'
    when status.status_name ilike '%registered%' then 'registered'
    when status.status_name ilike '%approv%' then 'assigned'
    else 'other'
  end,
  record.user_lo_reg_dt,
  record.user_lo_assigned_dt,
  cast(record.user_lo_min_due_date at time zone 'UTC' as date),
  cast(record.user_lo_comp_dt at time zone 'UTC' as date),
  coalesce(course.lo_hours, record.user_lo_minutes_participated / 60),
  record.user_lo_score,
  record.user_lo_pass,
  record.is_required,
  record.is_latest_reg_num
from {{ ref('stg_cornerstone__transcript_core') }} as record
left join {{ ref('stg_cornerstone__training_core') }} as course on course.object_id = record.transc_object_id
left join (
  select status_id, min_by(status_name, culture_id) as status_name
  from {{ ref('stg_cornerstone__transcript_status_local_core') }}
  group by status_id
) as status on status.status_id = record.user_lo_status_id
where not coalesce(record.is_removed, false) and {{ hr_models.is_person("record.transc_user_id") }}
