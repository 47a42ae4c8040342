{{ hr_models.staged('personio', 'employees', '
  id varchar
  status varchar
  employment_type varchar
  supervisor json
  office json
  department json
  subcompany json
  hire_date date
  termination_date date
  holiday_calendar json
  absence_entitlement json
  work_schedule json
  ' ~ hr_models.personio_attribute('date_of_birth') ~ ' date birth_date
  ' ~ (var('personio_employee_number', none) or 'employee_number') ~ ' varchar employee_number
') }}
