with ranked as (
  select *,
    'quartile ' || ntile(4) over (
      partition by source, month_end, currency order by hourly_amount, employee_id) as quartile
  from {{ ref('int_pay') }}
),

counted as (
  select
    source, month_end, currency, 'quartile' as dimension, quartile as member,
    count(*) filter (gender = 'male') as men,
    count(*) filter (gender = 'female') as women,
    least(count(*) filter (gender = 'male'), count(*) filter (gender = 'female')) as people,
    count(*) filter (gender = 'female') / count(*) as share_women
  from ranked
  group by all
)

{{ hr_models.without_small_groups('counted', 'source, month_end, currency') }}
