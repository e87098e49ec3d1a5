-- An appointment of the actor's that is cancelled already.
-- $1 actor   $2 appointment
select appointment_document(appointment)
from appointment
join guardianship on guardianship.patient_id = appointment.patient_id and guardianship.account_id = $1::uuid
where appointment.id = $2::uuid and appointment.status = 'cancelled'
