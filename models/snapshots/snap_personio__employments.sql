{% snapshot snap_personio__employments %}
{{ config(unique_key=['person_id', 'id'], check_cols='all') }}
select * from {{ ref('stg_personio__employments') }}
{% endsnapshot %}
