select source, month_end, dimension, member, people, joiners
from ({{ hr_models.without_small_groups(ref('int_monthly'), 'source, month_end') }})
