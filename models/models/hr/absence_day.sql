with spread as (
  select
    *,
    cast(unnest(generate_series(starts_on, coalesce(ends_on, greatest(starts_on, {{ hr_models.today() }})),
      interval 1 day)) as date) as day
  from {{ ref('absence') }}
  where starts_on is not null
),

counted as (
  select
    source, absence_id, employee_id, category, status, starts_on, unit, day,
    case
      when by_day is not null
        then coalesce(cast(by_day -> 'days' ->> strftime(day, '%Y-%m-%d') as double), 0)
      when unit = 'days' then
        case when isodow(day) > 5 then 0.0
          when (day = starts_on and starts_half_day) or (day = ends_on and ends_half_day) then 0.5
          else 1.0 end
    end as days,
    case
      when by_day is not null
        then coalesce(cast(by_day -> 'hours' ->> strftime(day, '%Y-%m-%d') as double), 0)
      when unit = 'hours' and ends_on is not distinct from starts_on then date_diff('minute', starts_at, ends_at) / 60
      when unit = 'hours' and isodow(day) > 5 then 0.0
      -- An absence in hours that lasts several days: the usual working time of the days between.
      when unit = 'hours' then date_diff('minute',
        case when day = starts_on then starts_at else day + time '{{ var("day_begins", "09:00") }}' end,
        case when day = ends_on then ends_at else day + time '{{ var("day_ends", "17:00") }}' end) / 60
    end as hours
  from spread
)

select
  source, absence_id, day, employee_id, category, status,
  coalesce(days, hours / {{ var('hours_per_day', 8) }}) as days,
  coalesce(hours, days * {{ var('hours_per_day', 8) }}) as hours
from counted
where coalesce(days, 0) > 0 or coalesce(hours, 0) > 0
