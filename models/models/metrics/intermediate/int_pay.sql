with base as (
  select present.source, present.month_end, present.employee_id, pay.currency,
    max_by(pay.hourly_amount, pay.valid_from) as hourly_amount
  from {{ ref('int_person_month') }} as present
  join {{ ref('compensation') }} as pay
    on pay.source = present.source and pay.employee_id = present.employee_id
    and pay.category in ('base', 'hourly') and {{ hr_models.valid_on('pay', 'present.month_end') }}
  where present.kind = 'present' and pay.hourly_amount is not null
  group by all
),

variable as (
  -- Variable pay of the twelve months before the month's end.
  select present.source, present.month_end, present.employee_id, pay.currency,
    cast(sum(pay.amount) as double) as amount
  from {{ ref('int_person_month') }} as present
  join {{ ref('compensation') }} as pay
    on pay.source = present.source and pay.employee_id = present.employee_id and pay.category = 'one_time'
    and pay.valid_from > last_day(present.month_end - interval 12 month) and pay.valid_from <= present.month_end
  where present.kind = 'present'
  group by all
)

select present.* exclude (job_title), present.job_title as job, base.currency, base.hourly_amount,
  coalesce(variable.amount, 0) as variable_amount
from {{ ref('int_person_month') }} as present
join base using (source, month_end, employee_id)
left join variable using (source, month_end, employee_id, currency)
where present.kind = 'present'
