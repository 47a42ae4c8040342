with person as (
  select
    employee.source,
    employee.employee_id,
    employee.person_key,
    employee.hire_date,
    employee.termination_date,
    lower(trim(employee.first_name || ' ' || employee.last_name)) as name,
    manager.person_key as manager
  from {{ ref('employee') }} as employee
  left join {{ ref('employee') }} as manager
    on manager.source = employee.source and manager.employee_id = employee.manager_id
  where employee.person_key is not null
),

value as (
  unpivot (
    select source, employee_id, person_key,
      coalesce(cast(hire_date as varchar), '') as hire_date,
      coalesce(cast(termination_date as varchar), '') as termination_date,
      coalesce(name, '') as name,
      coalesce(manager, '') as manager
    from person
  )
  on hire_date, termination_date, name, manager
  into name field value value
)

select
  one.person_key,
  one.field,
  one.source as source_a,
  one.employee_id as employee_id_a,
  nullif(one.value, '') as value_a,
  other.source as source_b,
  other.employee_id as employee_id_b,
  nullif(other.value, '') as value_b
from value as one
join value as other
  on other.person_key = one.person_key and other.field = one.field
  and other.source > one.source and other.value <> one.value
