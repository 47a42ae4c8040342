{{ hr_models.staged('cornerstone', 'transcript_core', '
  transc_user_id varchar
  transc_object_id varchar
  reg_num bigint
  user_lo_status_id bigint
  user_lo_reg_dt timestamptz
  user_lo_assigned_dt timestamptz
  user_lo_min_due_date timestamptz
  user_lo_comp_dt timestamptz
  user_lo_minutes_participated bigint
  user_lo_score double
  user_lo_pass boolean
  is_required boolean
  is_latest_reg_num boolean
  is_removed boolean
') }}
