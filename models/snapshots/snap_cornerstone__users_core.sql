{% snapshot snap_cornerstone__users_core %}
{{ config(unique_key='user_id', check_cols='all') }}
select * exclude (user_employment_status_id, user_create_dt, user_modify_date) from {{ ref('stg_cornerstone__users_core') }}
{% endsnapshot %}
