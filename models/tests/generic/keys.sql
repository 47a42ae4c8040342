{# The columns are never NULL, and together unique. #}
{% test is_key(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
group by all
having count(*) > 1 {% for column in columns %} or {{ column }} is null {% endfor %}
{% endtest %}

{# Each row that has a value in `column` belongs to a row of `to` with the same source. A warning: the
   credential may not read everything. #}
{% test belongs_to(model, column, to, to_column) %}
{{ config(severity='warn') }}
select source, {{ column }}
from {{ model }} as child
where {{ column }} is not null
  and not exists (
    select 1 from {{ to }} as parent where parent.source = child.source and parent.{{ to_column }} = child.{{ column }})
{% endtest %}
