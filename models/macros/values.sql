{# The day that metrics and validity look at. #}
{% macro today() -%}
  {%- if var('as_of', none) -%} cast('{{ var("as_of") }}' as date) {%- else -%} current_date {%- endif -%}
{%- endmacro %}

{% macro gender(value) -%}
  case lower({{ value }})
    when 'male' then 'male' when 'm' then 'male'
    when 'female' then 'female' when 'f' then 'female'
    when 'diverse' then 'diverse' when 'other' then 'diverse'
    when 'unspecified' then null when 'undefined' then null when 'unknown' then null when 'u' then null when '' then null
    when null then null
    else case when {{ value }} is not null then 'other' end
  end
{%- endmacro %}

{# Whether a row is valid on a day. #}
{% macro valid_on(row, day) -%}
  coalesce({{ row }}.valid_from, date '0001-01-01') <= {{ day }}
  and coalesce({{ row }}.valid_to, date '9999-12-31') >= {{ day }}
{%- endmacro %}

{# Versions of a snapshot's rows: `valid_from` is the day that the snapshot noticed a change, and for the first version
   `since`; of changes on one day the last one counts. #}
{% macro versions(snapshot, keys, since) -%}
  select * exclude (noticed_on, next_noticed_on),
    case when noticed_on is null then {{ since }} else greatest(noticed_on, {{ since }}) end as valid_from,
    case when dbt_valid_to is not null then cast(dbt_valid_to as date) - 1 end as noticed_until
  from (
    select *,
      case when row_number() over noticed > 1 then cast(dbt_valid_from as date) end as noticed_on,
      cast(lead(dbt_valid_from) over noticed as date) as next_noticed_on
    from {{ snapshot }}
    window noticed as (partition by {{ keys }} order by dbt_valid_from)
  )
  where next_noticed_on is null or next_noticed_on > coalesce(noticed_on, date '0001-01-01')
{%- endmacro %}

{# Whether an id is a person's: Cornerstone uses ids at or below 0 for the system. Pseudonyms are no numbers. #}
{% macro is_person(id) -%}
  coalesce(try_cast({{ id }} as bigint), 1) > 0
{%- endmacro %}
