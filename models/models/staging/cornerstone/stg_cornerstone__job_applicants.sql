{{ hr_models.staged('cornerstone', 'job_applicants', '
  Id varchar
  JobRequisitionId varchar requisition_id
  UserId varchar user_id
  CsodGUID varchar guid
  CurrentStatus varchar current_status
  StatusDate text_date status_on
  ApplicationReceivedDateLocal text_date received_on
  ApplicantHireDate text_date hired_on
  Source varchar
') }}
