{{ hr_models.staged('cornerstone', 'job_requisitions', '
  Id varchar
  Title varchar
  Status varchar
  DivisionId varchar division_id
  LocationId varchar location_id
  HiringManager json hiring_manager
  Openings bigint
  OpenDateLocal text_date opened_on
  TargetHireDate text_date target_hire_on
  CreateDateLocal text_date created_on
  RangeLow double range_low
  RangeHigh double range_high
') }}
