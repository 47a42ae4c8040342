{# The dimensions that metrics about employees are split by. #}
{% macro dimensions() -%}
  {{ return(['department', 'team', 'location', 'legal_entity', 'gender', 'age_band']) }}
{%- endmacro %}

{# Rows per `keys` and dimension: the total, and each value of each dimension. `measures` is the SQL of the other
   columns; `dimensions` are columns of `relation`. #}
{% macro by_dimension(relation, keys, measures, dimensions) -%}
  select
    {{ keys }},
    case {% for name in dimensions %}when grouping({{ name }}) = 0 then '{{ name }}' {% endfor %}else 'total' end
      as dimension,
    case {% for name in dimensions %}when grouping({{ name }}) = 0 then coalesce({{ name }}, 'unknown') {% endfor %}
      else 'total' end as member,
    {{ measures }}
  from {{ relation }}
  group by grouping sets (({{ keys }}){% for name in dimensions %}, ({{ keys }}, {{ name }}){% endfor %})
{%- endmacro %}

{# Leaves out small groups: those of fewer than `min_group` people, and beside them the next smallest one of the same
   dimension, which could be calculated from the total otherwise. `people` is the column with the group's size. #}
{% macro without_small_groups(relation, keys, people='people') -%}
  select * exclude (group_rank, small_groups)
  from (
    select *,
      row_number() over (partition by {{ keys }}, dimension order by {{ people }}, member) as group_rank,
      count(*) filter ({{ people }} < {{ var('min_group', 5) }}) over (partition by {{ keys }}, dimension)
        as small_groups
    from {{ relation }}
  )
  where small_groups = 0 or group_rank > small_groups + 1
{%- endmacro %}

{# A case expression for bands of years. #}
{% macro age_band(birth_date, day) -%}
  case
    when {{ birth_date }} is null then null
    when date_sub('year', {{ birth_date }}, {{ day }}) < 30 then 'under 30'
    when date_sub('year', {{ birth_date }}, {{ day }}) <= 50 then '30 to 50'
    else 'over 50'
  end
{%- endmacro %}

{# `relation` with the columns of `dimensions()`, as they are on `day`. Of several units of a kind, the first by name. #}
{% macro with_dimensions(relation, day) -%}
  select
    fact.*,
    unit.* exclude (source, employee_id, on_day),
    employee.gender,
    {{ hr_models.age_band('employee.birth_date', 'fact.' ~ day) }} as age_band
  from {{ relation }} as fact
  left join {{ ref('employee') }} as employee
    on employee.source = fact.source and employee.employee_id = fact.employee_id
  left join (
    select
      asked.source, asked.employee_id, asked.{{ day }} as on_day,
      min(org_unit.name) filter (org_unit.kind = 'department') as department,
      min(org_unit.name) filter (org_unit.kind = 'team') as team,
      min(org_unit.name) filter (org_unit.kind = 'location') as location,
      min(org_unit.name) filter (org_unit.kind = 'legal_entity') as legal_entity
    from (select distinct source, employee_id, {{ day }} from {{ relation }}) as asked
    join {{ ref('assignment') }} as assignment
      on assignment.source = asked.source and assignment.employee_id = asked.employee_id
      and {{ hr_models.valid_on('assignment', 'asked.' ~ day) }}
    join {{ ref('org_unit') }} as org_unit
      on org_unit.source = assignment.source and org_unit.org_unit_id = assignment.org_unit_id
    group by all
  ) as unit
    on unit.source = fact.source and unit.employee_id = fact.employee_id and unit.on_day = fact.{{ day }}
{%- endmacro %}
