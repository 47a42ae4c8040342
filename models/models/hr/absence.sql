with personio as (
  select
    period.id as absence_id,
    period.person ->> 'id' as employee_id,
    type.name as type_name,
    type.category as type_word,
    type.unit,
    try_cast(period.starts_from ->> 'date_time' as timestamp) as starts_at,
    try_cast(period.ends_at ->> 'date_time' as timestamp) as ends_at,
    period.starts_from ->> 'type' as start_half,
    period.ends_at ->> 'type' as end_half,
    lower(period.approval ->> 'status') as approval
  from {{ ref('stg_personio__absence_periods') }} as period
  left join {{ ref('stg_personio__absence_types') }} as type on type.id = period.absence_type ->> 'id'
),

found as (
  select
    'personio' as source,
    absence_id,
    employee_id,
    type_name,
    type_word,
    cast(starts_at as date) as starts_on,
    -- The end of an absence in days is the midnight after its last day.
    case when start_half is null then cast(ends_at as date) else cast(ends_at as date) - 1 end as ends_on,
    case when start_half is null then 'hours' else 'days' end as unit,
    start_half = 'SECOND_HALF' as starts_half_day,
    coalesce(end_half = 'FIRST_HALF', false) as ends_half_day,
    case when start_half is null then starts_at end as starts_at,
    case when start_half is null then coalesce(ends_at, starts_at) end as ends_at,
    cast(null as double) as days,
    cast(null as double) as hours,
    cast(null as json) as by_day,
    case approval when 'approved' then 'approved' when 'pending' then 'pending' when 'rejected' then 'rejected'
      else 'other' end as status,
    cast(null as boolean) as is_paid
  from personio

  union all
  select
    'factorial',
    leave.id,
    leave.employee_id,
    coalesce(leave.leave_type_name, type.name),
    type.identifier,
    leave.start_on,
    leave.finish_on,
    case when leave.hours_amount_in_cents is null then 'days' else 'hours' end,
    leave.half_day = 'end_of_day' and leave.start_on is not null,
    leave.half_day = 'beginning_of_day',
    null,
    null,
    leave.days_taken,
    leave.hours_amount_in_cents / 100,
    leave.duration_by_day_attributes -> 'workable_units_by_day',
    case leave.approved when true then 'approved' when false then 'rejected' else 'pending' end,
    type.payable
  from {{ ref('stg_factorial__timeoff_leaves') }} as leave
  left join {{ ref('stg_factorial__timeoff_leave_types') }} as type on type.id = leave.leave_type_id
  where leave.deleted_at is null
)

select
  found.source,
  found.absence_id,
  found.employee_id,
  found.type_name,
  found.type_word,
  coalesce(by_name.category, by_word.category, 'other') as category,
  coalesce(by_name.category, by_word.category) is not null as is_mapped,
  found.* exclude (source, absence_id, employee_id, type_name, type_word, is_paid),
  coalesce(found.is_paid, case coalesce(by_name.category, by_word.category)
    when 'vacation' then true when 'sick' then true when 'unpaid' then false end) as is_paid
from found
left join {{ ref('hr_absence_type') }} as by_name
  on by_name.source = found.source and lower(by_name.name) = lower(found.type_name)
left join {{ ref('hr_absence_type') }} as by_word
  on by_word.source = found.source and lower(by_word.name) = lower(found.type_word)
