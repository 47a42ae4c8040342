{% snapshot snap_personio__employees %}
{{ config(unique_key='id', check_cols='all') }}
select * exclude (absence_entitlement) from {{ ref('stg_personio__employees') }}
{% endsnapshot %}
