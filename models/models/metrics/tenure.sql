with person as (
  select person.*, coalesce(person.day - employee.hire_date, person.tenure_days) as days
  from {{ ref('int_person_month') }} as person
  left join {{ ref('employee') }} as employee
    on employee.source = person.source and employee.employee_id = person.employee_id
  where person.kind = 'present'
),

counted as (
  {{ hr_models.by_dimension(
    'person',
    'source, month_end',
    "count(distinct employee_id) as people,
    avg(days) as mean_days,
    median(days) as median_days,
    count(*) filter (days < 365) / count(*) as share_under_1_year,
    count(*) filter (days >= 365 and days < 1826) / count(*) as share_1_to_5_years,
    count(*) filter (days >= 1826) / count(*) as share_over_5_years",
    hr_models.dimensions()) }}
)

{{ hr_models.without_small_groups('counted', 'source, month_end') }}
