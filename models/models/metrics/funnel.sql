with ranked as (
  select *,
    last_day(applied_on) as month_end,
    list_position(['new', 'screening', 'assessment', 'interview', 'offer', 'hired'], furthest_stage) as stage_rank
  from {{ ref('int_application') }}
  where applied_on is not null
),

counted as (
  {{ hr_models.by_dimension(
    'ranked',
    'source, month_end',
    "count(*) as people,
    count(*) as applications,
    count(*) filter (stage_rank >= 2) as reached_screening,
    count(*) filter (stage_rank >= 4) as reached_interview,
    count(*) filter (stage_rank >= 5) as reached_offer,
    count(*) filter (stage_rank >= 6) as hired,
    count(*) filter (stage = 'rejected') as rejected,
    count(*) filter (stage = 'withdrawn') as withdrawn",
    ['department', 'location']) }}
)

select *,
  reached_screening / applications as screening_rate,
  reached_interview / nullif(reached_screening, 0) as interview_rate,
  reached_offer / nullif(reached_interview, 0) as offer_rate,
  hired / nullif(reached_offer, 0) as hire_rate
from ({{ hr_models.without_small_groups('counted', 'source, month_end') }})
