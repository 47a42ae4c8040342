-- Words of a source that no seed maps, which therefore count as `other`.
{{ config(severity='warn') }}
select 'absence type' as kind, source, coalesce(type_name, type_word) as word, count(*) as rows_found
from {{ ref('absence') }} where not is_mapped group by all
union all
select 'organisational unit type', source, name, count(*)
from {{ ref('org_unit') }} where kind = 'other' group by all
union all
select 'application status', source, status_word, count(*)
from {{ ref('application') }} where stage = 'other' group by all
union all
select 'termination reason', employment.source, employment.end_word, count(*)
from {{ ref('employment') }} as employment
left join {{ ref('hr_end_type') }} as mapped
  on mapped.source = employment.source and lower(mapped.reason) = lower(employment.end_word)
where employment.end_word is not null and mapped.end_type is null group by all
union all
select 'training status', source, status_word, count(*)
from {{ ref('learning_record') }} where status = 'other' group by all
union all
select 'employment type', source, employment_word, count(*)
from {{ ref('employment') }} where employment_type = 'other' group by all
