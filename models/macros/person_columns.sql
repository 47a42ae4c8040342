{# Writes which columns of the models refer to people, by which `target-duckdb forget` finds the person there. #}
{% macro write_person_columns() -%}
  {%- if execute and flags.WHICH in ('build', 'run', 'snapshot') -%}
  {%- set staging = var('hr_staging_schema', 'hr_staging') -%}
  {%- set snapshots = var('hr_snapshots_schema', 'hr_snapshots') -%}
create schema if not exists {{ staging }};
create or replace table {{ staging }}._person_columns as
with model_column as (
  select schema_name as table_schema, table_name, column_name
  from duckdb_columns()
  semi join duckdb_tables() using (database_name, schema_name, table_name)
  where database_name = '{{ target.database }}'
),

raw (source, raw_schema, employee, candidate) as (
  values
    ('personio', '{{ var('personio_schema', 'tap_personio') }}', 'person', 'candidate'),
    ('factorial', '{{ var('factorial_schema', 'tap_factorial') }}', 'employee', 'candidate'),
    ('cornerstone', '{{ var('cornerstone_schema', 'tap_cornerstone') }}', 'user', 'applicant')
),

identifier (column_name, form, is_candidate, is_mention) as (
  values
    ('employee_id', 'id', false, false),
    ('hired_employee_id', 'id', false, false),
    ('candidate_id', 'id', true, false),
    ('manager_id', 'id', false, true),
    ('head_employee_id', 'id', false, true),
    ('hiring_manager_id', 'id', false, true),
    ('person_key', 'email', false, false),
    ('work_email', 'email', false, false)
),

in_model as (
  select model_column.*, identifier.form, identifier.is_candidate, identifier.is_mention
  from model_column
  join identifier using (column_name)
  where table_schema in (
    '{{ var('hr_schema', 'hr') }}', '{{ staging }}', '{{ var('hr_metrics_schema', 'hr_metrics') }}')
)

select
  in_model.table_schema,
  in_model.table_name,
  in_model.column_name,
  raw.raw_schema,
  cast(null as varchar) as raw_table,
  case when in_model.is_candidate then raw.candidate else raw.employee end as space,
  in_model.form,
  in_model.is_mention,
  'source' as when_column,
  raw.source as when_value
from in_model
cross join raw
semi join (select table_schema, table_name from model_column where column_name = 'source') using (table_schema, table_name)
where in_model.form = 'id'

union all
select table_schema, table_name, column_name, null, null, null, form, is_mention, null, null
from in_model
where form = 'email'

union all
select distinct
  model_column.table_schema,
  model_column.table_name,
  null,
  raw.raw_schema,
  substr(model_column.table_name, length('snap_' || raw.source || '__') + 1),
  null,
  null,
  cast(null as boolean),
  null,
  null
from model_column
join raw on starts_with(model_column.table_name, 'snap_' || raw.source || '__')
where model_column.table_schema = '{{ snapshots }}'
  {%- endif -%}
{%- endmacro %}
