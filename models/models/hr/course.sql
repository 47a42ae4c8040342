select
  'factorial' as source,
  training.id as course_id,
  training.name as title,
  session.modality as type,
  training.total_duration as hours,
  cast(training.total_cost_decimal as decimal(18, 2)) as cost,
  class.currency,
  training.is_mandatory,
  training.status = 'active' as active
from {{ ref('stg_factorial__trainings_trainings') }} as training
left join (
  select training_id, min(modality) as modality from {{ ref('stg_factorial__trainings_sessions') }} group by training_id
) as session on session.training_id = training.id
left join (
  select training_id, min(currency) as currency from {{ ref('stg_factorial__trainings_training_classes') }}
  group by training_id
) as class on class.training_id = training.id

union all
select
  'cornerstone',
  training.object_id,
  title.title,
  type.description,
  training.lo_hours,
  cast(training.lo_price as decimal(18, 2)),
  null,
  null,
  training.lo_active = 'Y'
from {{ ref('stg_cornerstone__training_core') }} as training
left join (
  select object_id, min_by(title, (not coalesce(is_default, false), culture_id)) as title
  from {{ ref('stg_cornerstone__training_local_core') }}
  group by object_id
) as title on title.object_id = training.object_id
left join {{ ref('stg_cornerstone__training_type_core') }} as type on type.object_type = training.lo_object_type
