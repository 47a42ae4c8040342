{{ hr_models.staged('factorial', 'attendance_shifts', '
  id varchar
  employee_id varchar
  date date
  reference_date date
  minutes bigint
  workable boolean
') }}
