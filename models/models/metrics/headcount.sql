select source, month_end, dimension, member, people as headcount
from ({{ hr_models.without_small_groups(ref('int_monthly'), 'source, month_end') }})
where people > 0
