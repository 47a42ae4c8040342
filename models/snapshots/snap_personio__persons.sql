{% snapshot snap_personio__persons %}
{{ config(unique_key='id', check_cols='all') }}
select * exclude (created_at, updated_at) from {{ ref('stg_personio__persons') }}
{% endsnapshot %}
