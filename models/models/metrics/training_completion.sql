with due as (
  select source, employee_id, last_day(due_on) as month_end,
    status = 'completed' as is_completed,
    status = 'completed' and coalesce(completed_on <= due_on, false) as is_in_time
  from {{ ref('learning_record') }}
  where is_mandatory and is_latest and due_on <= {{ hr_models.today() }} and status <> 'cancelled'
),

described as (
  {{ hr_models.with_dimensions('due', 'month_end') }}
),

counted as (
  {{ hr_models.by_dimension(
    'described',
    'source, month_end',
    'count(distinct employee_id) as people,
    count(*) as due,
    count(*) filter (is_completed) as completed,
    count(*) filter (is_in_time) as completed_in_time,
    count(*) filter (is_completed) / count(*) as completion_rate',
    hr_models.dimensions()) }}
)

{{ hr_models.without_small_groups('counted', 'source, month_end') }}
