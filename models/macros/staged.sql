{# A stream's live rows, with the listed columns.

   Each line of `columns` is `column type [name]`. A stream that was not loaded yields no rows, and a column that was
   not loaded yields NULL, so that the models work with any selection of streams. The type `utc_date` is the day of a
   timestamp in UTC, and `text_date` the day of a date or timestamp that the vendor sends as text. #}
{% macro staged(vendor, stream, columns) -%}
  {%- set relation = adapter.get_relation(
        database=var('raw_database', none) or target.database,
        schema=var(vendor ~ '_schema', 'tap_' ~ vendor),
        identifier=stream) if execute else none -%}
  {%- set loaded = {} -%}
  {%- if relation is not none -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
      {%- do loaded.update({column.name | lower: column.name}) -%}
    {%- endfor -%}
  {%- endif -%}
select
  {%- for line in columns.strip().split('\n') %}
    {%- set parts = line.split() %}
    {%- set name = (parts[2] if parts | length > 2 else parts[0]) | lower %}
    {%- set column = loaded.get(parts[0] | lower) %}
  {{ hr_models.straightened('"' ~ column ~ '"' if column else 'null', parts[1]) }} as "{{ name }}"
    {%- if not loop.last %},{% endif %}
  {%- endfor %}
  {%- if relation is none %}
where false
  {%- else %}
from {{ relation }}
    {%- if '_sdc_deleted_at' in loaded %}
where _sdc_deleted_at is null
    {%- endif %}
  {%- endif %}
{%- endmacro %}

{% macro straightened(value, type) -%}
  {%- if type == 'utc_date' -%}
    cast(cast({{ value }} as timestamptz) at time zone 'UTC' as date)
  {%- elif type == 'text_date' -%}
    cast(try_cast({{ value }} as timestamp) as date)
  {%- else -%}
    cast({{ value }} as {{ type }})
  {%- endif -%}
{%- endmacro %}

{# The columns of Personio's employees that the company defines itself, by the attribute's universal id. #}
{% macro personio_attribute(universal_id) -%}
  {%- set relation = adapter.get_relation(
        database=var('raw_database', none) or target.database,
        schema=var('personio_schema', 'tap_personio'),
        identifier='employee_attributes') if execute else none -%}
  {%- if relation is not none -%}
    {%- set found = run_query(
          "select key from " ~ relation ~ " where universal_id = '" ~ universal_id ~ "' order by key limit 1") -%}
    {{- found.rows[0][0] if found.rows else 'dynamic_of_' ~ universal_id -}}
  {%- else -%}
    {{- 'dynamic_of_' ~ universal_id -}}
  {%- endif -%}
{%- endmacro %}
