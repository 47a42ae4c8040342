{% snapshot snap_cornerstone__user_ou_core %}
{{ config(unique_key=['user_id', 'ou_id'], check_cols='all') }}
select * from {{ ref('stg_cornerstone__user_ou_core') }}
{% endsnapshot %}
