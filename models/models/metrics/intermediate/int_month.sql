select
  cast(day as date) as month_start,
  last_day(cast(day as date)) as month_end
from range(cast('{{ var("first_month", "2020-01-01") }}' as timestamp), cast({{ hr_models.today() }} as timestamp) + interval 1 day,
  interval 1 month) as months(day)
where last_day(cast(day as date)) <= {{ hr_models.today() }}
