-- What a visit, a link and a block are worth: who may be told of them, and to whom they give anything.

-- Whether a visit makes a care relation: the patient's side booked it, or staff who were in one already. Else whoever has an
-- agenda would open any record by booking its patient.
alter table appointment add column care boolean not null default false;
update appointment set care = true
where booked_by is null
   or exists (select from guardianship g where g.account_id = booked_by and g.patient_id = appointment.patient_id);
update appointment set care = true
from site
where not appointment.care and site.id = appointment.site_id
  and exists (select from appointment former join site there on there.id = former.site_id
              where former.patient_id = appointment.patient_id and former.practitioner_id = appointment.practitioner_id
                and there.establishment_id = site.establishment_id and former.care and former.status = 'booked'
                and former.created_at < appointment.created_at
                and former.ends_at > appointment.created_at - interval '2 years');

-- A block that was asked for while visits lay ahead that its author may not know of bites once they are over; its author is
-- told nothing of that. Null: from `since` on.
alter table block add column bites_from timestamptz;

-- What shows that somebody is the patient themself.
alter table guardianship drop constraint guardianship_proof_known;
alter table guardianship add constraint guardianship_proof_known check (
    proof in ('livret_de_famille', 'birth_certificate', 'judgment', 'adoption', 'delegation', 'identity_document'));

-- A claim whose account was closed is nobody's: the person may be validated again.
alter table professional drop constraint professional_state_known;
alter table professional add constraint professional_state_known
    check (state in ('pending', 'validated', 'refused', 'suspended', 'withdrawn'));
drop index professional_once;
create unique index professional_once on professional (account_id, practitioner_id) where state not in ('refused', 'withdrawn');

-- It is told who reads.
drop function if exists access_lines(uuid, timestamptz, timestamptz, bigint, timestamptz, bigint);
