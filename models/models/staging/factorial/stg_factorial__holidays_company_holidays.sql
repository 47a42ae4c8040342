{{ hr_models.staged('factorial', 'holidays_company_holidays', '
  id varchar
  location_id varchar
  date date
  half_day varchar
') }}
