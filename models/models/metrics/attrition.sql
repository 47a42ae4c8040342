with first_month as (
  select source, min(month_end) as month_end
  from {{ ref('int_monthly') }}
  where dimension = 'total' and people > 0
  group by source
),

year as (
  select
    source, this.month_end, earlier.dimension, earlier.member,
    sum(earlier.people) filter (earlier.month_end = this.month_end) as people,
    sum(earlier.people) / 13 as mean_headcount,
    sum(earlier.leavers) filter (earlier.month_end > year_ago) as leavers,
    sum(earlier.voluntary_leavers) filter (earlier.month_end > year_ago) as voluntary_leavers,
    sum(earlier.first_year_leavers) filter (earlier.month_end > year_ago) as first_year_leavers
  from (select month_end, last_day(month_end - interval 12 month) as year_ago from {{ ref('int_month') }}) as this
  join {{ ref('int_monthly') }} as earlier on earlier.month_end between this.year_ago and this.month_end
  join first_month using (source)
  where first_month.month_end <= this.year_ago
  group by all
)

select
  source, month_end, dimension, member, people, mean_headcount, leavers, voluntary_leavers, first_year_leavers,
  leavers / mean_headcount as attrition,
  voluntary_leavers / mean_headcount as voluntary_attrition,
  first_year_leavers / mean_headcount as first_year_attrition
from ({{ hr_models.without_small_groups(
  '(select * replace (coalesce(people, 0) as people) from year)', 'source, month_end') }})
where mean_headcount > 0
