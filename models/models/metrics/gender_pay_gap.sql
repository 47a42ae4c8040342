with counted as (
  {{ hr_models.by_dimension(
    ref('int_pay'),
    'source, month_end, currency',
    "count(*) filter (gender = 'male') as men,
    count(*) filter (gender = 'female') as women,
    least(count(*) filter (gender = 'male'), count(*) filter (gender = 'female')) as people,
    avg(hourly_amount) filter (gender = 'male') as mean_men,
    avg(hourly_amount) filter (gender = 'female') as mean_women,
    median(hourly_amount) filter (gender = 'male') as median_men,
    median(hourly_amount) filter (gender = 'female') as median_women,
    avg(variable_amount) filter (gender = 'male') as mean_variable_men,
    avg(variable_amount) filter (gender = 'female') as mean_variable_women",
    ['job', 'department', 'location', 'legal_entity', 'age_band']) }}
)

select
  source, month_end, currency, dimension, member, people, men, women,
  (mean_men - mean_women) / nullif(mean_men, 0) as mean_gap,
  (median_men - median_women) / nullif(median_men, 0) as median_gap,
  (mean_variable_men - mean_variable_women) / nullif(mean_variable_men, 0) as mean_variable_gap
from ({{ hr_models.without_small_groups('counted', 'source, month_end, currency') }})
where people > 0
