{{ hr_models.staged('factorial', 'attendance_worked_times', '
  id varchar
  employee_id varchar
  date date
  day_type varchar
') }}
