select source, month_end, dimension, member, people, fte
from ({{ hr_models.without_small_groups(ref('int_monthly'), 'source, month_end') }})
where fte is not null
