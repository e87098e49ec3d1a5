-- $1 how many   $2 now. Rows of the audit trail as a busy hour leaves them.
insert into audit (at, actor_kind, actor_id, action, event, object_id, patient_id, request_id, session_id, role, level,
                   address, purpose, outcome, changes)
select $2::timestamptz, 'account', gen_random_uuid(), case n % 4 when 0 then 'update' else 'read' end,
       case n % 4 when 0 then 'appointment.cancel' else 'appointment.list' end,
       case n % 4 when 0 then gen_random_uuid() end, gen_random_uuid(), gen_random_uuid()::text, gen_random_uuid(), 'patient', 1,
       '2001:db8::' || to_hex(n % 65536), 'PATRQT', 'success',
       case n % 4 when 0 then jsonb_build_object('status', jsonb_build_array(md5(n::text), md5('x' || n))) end
from generate_series(1, $1::bigint) n
