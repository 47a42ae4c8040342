{{ hr_models.staged('cornerstone', 'users_core', '
  user_id bigint
  user_ref varchar
  user_email varchar
  user_name_first varchar
  user_name_last varchar
  user_gender varchar
  user_birth_dt utc_date
  user_hire_dt_orig utc_date
  user_hire_dt_last utc_date
  user_termination_dt utc_date
  user_termination_reason_id bigint
  user_status_id bigint
  user_absent boolean
  user_mgr_id bigint
  user_create_dt timestamptz
  user_modify_date timestamptz
') }}
