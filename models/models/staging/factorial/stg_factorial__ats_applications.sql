{{ hr_models.staged('factorial', 'ats_applications', '
  id varchar
  ats_job_posting_id varchar
  ats_candidate_id varchar
  ats_application_phase_id varchar
  ats_rejection_reason_id varchar
  employee_id varchar
  source_id varchar
  qualified boolean
  created_at timestamptz
') }}
