with personio_day as (
  select
    person ->> 'id' as employee_id,
    attribution_date as day,
    sum(date_diff('minute', try_cast(start ->> 'date_time' as timestamp), try_cast("end" ->> 'date_time' as timestamp)))
      filter (type = 'WORK') as worked_minutes,
    sum(date_diff('minute', try_cast(start ->> 'date_time' as timestamp), try_cast("end" ->> 'date_time' as timestamp)))
      filter (type = 'BREAK') as break_minutes,
    bool_or(is_holiday) as is_holiday,
    bool_or(is_on_time_off) as is_on_time_off,
    case
      when bool_or(approval ->> 'status' = 'REJECTED') then 'rejected'
      when bool_or(approval ->> 'status' = 'EXPIRED') then 'expired'
      when bool_or(approval ->> 'status' = 'PENDING') then 'pending'
      else 'confirmed'
    end as approval
  from {{ ref('stg_personio__attendance_periods') }}
  group by all
),

personio_schedule as (
  select
    id as employee_id,
    [work_schedule ->> 'monday', work_schedule ->> 'tuesday', work_schedule ->> 'wednesday',
      work_schedule ->> 'thursday', work_schedule ->> 'friday', work_schedule ->> 'saturday',
      work_schedule ->> 'sunday'] as hours
  from {{ ref('stg_personio__employees') }}
  where work_schedule is not null
),

factorial_day as (
  select
    employee_id,
    coalesce(reference_date, date) as day,
    sum(minutes) filter (workable) as worked_minutes,
    sum(minutes) filter (not workable) as break_minutes
  from {{ ref('stg_factorial__attendance_shifts') }}
  group by all
),

factorial_type as (
  select employee_id, date as day, any_value(day_type) as day_type
  from {{ ref('stg_factorial__attendance_worked_times') }}
  group by all
),

found as (
  select
    'personio' as source,
    day_.employee_id,
    day_.day,
    cast(coalesce(day_.worked_minutes, 0) as bigint) as worked_minutes,
    cast(coalesce(day_.break_minutes, 0) as bigint) as break_minutes,
    cast(
      60 * try_cast(split_part(schedule.hours[isodow(day_.day)], ':', 1) as bigint)
      + try_cast(split_part(schedule.hours[isodow(day_.day)], ':', 2) as bigint)
    as double) as planned_minutes,
    day_.is_holiday,
    day_.is_on_time_off,
    day_.approval
  from personio_day as day_
  left join personio_schedule as schedule on schedule.employee_id = day_.employee_id

  union all
  select
    'factorial',
    day_.employee_id,
    day_.day,
    cast(coalesce(day_.worked_minutes, 0) as bigint),
    cast(coalesce(day_.break_minutes, 0) as bigint),
    case
      when list_contains(string_split(coalesce(version.working_days, 'monday,tuesday,wednesday,thursday,friday'), ','),
        lower(dayname(day_.day)))
        then version.weekly_hours * 60
          / len(string_split(coalesce(version.working_days, 'monday,tuesday,wednesday,thursday,friday'), ','))
      when version.weekly_hours is not null then 0
    end,
    type.day_type = 'holiday',
    type.day_type = 'leave',
    null
  from factorial_day as day_
  left join factorial_type as type on type.employee_id = day_.employee_id and type.day = day_.day
  left join (
    select employee_id, valid_from, valid_to, any_value(weekly_hours) as weekly_hours, any_value(working_days) as working_days
    from {{ ref('employment_version') }}
    where source = 'factorial'
    group by all
  ) as version
    on version.employee_id = day_.employee_id and {{ hr_models.valid_on('version', 'day_.day') }}
)

select *, worked_minutes - planned_minutes as overtime_minutes
from found
qualify row_number() over (partition by source, employee_id, day order by planned_minutes) = 1
