with personio_band as (
  select
    job.id as job_id,
    min_by(band.extra, list_position(from_json(job.salary_band_ids, '["VARCHAR"]'), band.id)) as band
  from {{ ref('stg_personio__jobs') }} as job
  join {{ ref('stg_personio__salary_bands') }} as band
    on list_contains(from_json(job.salary_band_ids, '["VARCHAR"]'), band.id)
  group by job.id
),

factorial_band as (
  select node_uuid, any_value(value_salary_range) as band
  from {{ ref('stg_factorial__job_catalog_node_attributes') }}
  where value_salary_range is not null
  group by node_uuid
)

select
  'personio' as source,
  job.id as job_id,
  job.name,
  job.job_family ->> '$' as family,
  job.level ->> '$' as level,
  job.global_grade ->> '$' as grade,
  job.job_track ->> '$' as track,
  cast(band.band ->> 'minimum' as decimal(18, 2)) as band_min,
  cast(band.band ->> 'maximum' as decimal(18, 2)) as band_max,
  band.band ->> 'currency' as band_currency
from {{ ref('stg_personio__jobs') }} as job
left join personio_band as band on band.job_id = job.id

union all
select
  'factorial',
  node.uuid,
  node.name,
  node.full_path_to_root -> 0 ->> 'name',
  null,
  null,
  null,
  cast(cast(band.band ->> 'min' as double) / 100 as decimal(18, 2)),
  cast(cast(band.band ->> 'max' as double) / 100 as decimal(18, 2)),
  band.band ->> 'currency'
from {{ ref('stg_factorial__job_catalog_tree_nodes') }} as node
left join factorial_band as band on band.node_uuid = node.uuid
where node.type = 'jobcatalog_treelevel'

union all
select
  'cornerstone', cast(unit.ou_id as varchar), unit.title, parent.title, null, null, null, null, null, null
from {{ ref('stg_cornerstone__ou_core') }} as unit
join {{ ref('stg_cornerstone__ou_type_core') }} as type on type.type_id = unit.type_id
join {{ ref('hr_ou_type') }} as mapped on lower(mapped.title) = lower(type.title)
left join {{ ref('stg_cornerstone__ou_core') }} as parent on parent.ou_id = unit.parent_id
where mapped.kind = 'position'
