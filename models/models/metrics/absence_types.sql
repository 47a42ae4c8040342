with fact as (
  select absent.source, month.month_end, absent.employee_id, absent.category, absent.days
  from {{ ref('absence_day') }} as absent
  join {{ ref('int_month') }} as month on absent.day between month.month_start and month.month_end
  where absent.status = 'approved' and exists (
    select 1
    from {{ ref('int_spell') }} as spell
    where spell.source = absent.source and spell.employee_id = absent.employee_id
      and spell.starts_on <= month.month_end and coalesce(spell.ends_on, date '9999-12-31') >= month.month_start
  )
),

counted as (
  {{ hr_models.by_dimension(
    'fact',
    'source, month_end',
    'count(distinct employee_id) as people, sum(days) as days',
    ['category']) }}
)

{{ hr_models.without_small_groups('counted', 'source, month_end') }}
