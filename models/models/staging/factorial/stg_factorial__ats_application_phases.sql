{{ hr_models.staged('factorial', 'ats_application_phases', '
  id varchar
  phase_type varchar
') }}
