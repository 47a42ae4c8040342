{% snapshot snap_factorial__employees_employees %}
{{ config(unique_key='id', check_cols='all') }}
select * exclude (created_at, updated_at) from {{ ref('stg_factorial__employees_employees') }}
{% endsnapshot %}
