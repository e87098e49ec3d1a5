-- The audit trail as bytes, and the chain of hashes over them.

-- A value: its length in bytes, a colon, the value, a comma. A null: a dash.
create or replace function audit_field(value text) returns text language sql immutable parallel safe as $$
    select coalesce(octet_length(value) || ':' || value || ',', '-')
$$;

-- A row in one way only, whatever the session's settings are: every column in the order of the table. Instants are seconds
-- since 1970 in UTC with six decimals; `changes` is the text of jsonb, whose keys are in an order of its own.
-- A column that the table gains makes another form, with another name: sealed rows keep theirs.
create or replace function audit_line(a audit) returns text language sql stable parallel safe as $$
    select audit_field(a.seq::text) || audit_field(extract(epoch from a.at)::text) || audit_field(a.actor_kind)
        || audit_field(a.actor_id::text) || audit_field(a.action) || audit_field(a.event)
        || audit_field(a.object_id::text) || audit_field(a.patient_id::text) || audit_field(a.request_id)
        || audit_field(a.session_id::text) || audit_field(a.role) || audit_field(a.establishment_id::text)
        || audit_field(a.level::text) || audit_field(a.address) || audit_field(a.purpose) || audit_field(a.outcome)
        || audit_field(a.changes::text) || audit_field(a.transaction_id::text)
$$;

-- One link of the chain: SHA-256 of the link before and the row. The first row links to the head of the seal before.
create or replace function audit_link(link bytea, line text, previous bytea) returns bytea
language sql immutable parallel safe as $$
    select sha256(coalesce(link, previous) || convert_to(line, 'UTF8'))
$$;

-- The last link over lines in the order they come.
create or replace aggregate audit_head(line text, previous bytea) (sfunc = audit_link, stype = bytea);

-- What the next seal says, at most so many rows of it. Null when no transaction has ended since the last one, and when none of
-- them left a row and the last seal is half an hour old at most: a tick that is made again makes no seal of nothing.
--
-- Numbers of transactions only grow, and all below the oldest under way have ended: nothing can come to a stretch that ends
-- there, except by force. Stable, so that the rows and the oldest transaction are those of one snapshot.
create or replace function audit_stretch(most bigint, at timestamptz) returns jsonb language plpgsql stable
-- Whatever the statistics say, the rows are read in the order of the index and none is kept.
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set timezone = 'UTC' as $$
declare
    before audit_seal;
    starts_transaction xid8 := '0';
    starts_seq bigint := 0;
    last_head text := repeat('0', 64);
    ends_transaction xid8 := pg_snapshot_xmin(pg_current_snapshot());
    ends_seq bigint := 0;
    cut record;
    said jsonb;
begin
    select * into before from audit_seal order by number desc limit 1;
    if found then
        starts_transaction := before.until_transaction;
        starts_seq := before.until_seq;
        last_head := before.head;
    end if;
    if ends_transaction < starts_transaction then
        raise exception 'transactions have lower numbers than those already sealed: is this a copy restored elsewhere?'
            using errcode = '23514', constraint = 'audit_seal_order';
    end if;
    select transaction_id, seq into cut from audit
    where (transaction_id, seq) >= (starts_transaction, starts_seq) and transaction_id < ends_transaction
    order by transaction_id, seq offset most - 1 limit 1;
    if found then
        ends_transaction := cut.transaction_id;
        ends_seq := cut.seq + 1;
    elsif (ends_transaction, ends_seq) <= (starts_transaction, starts_seq) then
        return null;
    end if;
    select jsonb_build_object(
        'number', coalesce(before.number, 0) + 1,
        'from', jsonb_build_object('transaction', starts_transaction::text::numeric, 'seq', starts_seq),
        'until', jsonb_build_object('transaction', ends_transaction::text::numeric, 'seq', ends_seq),
        'rows', count(*), 'first', min(seq), 'last', max(seq), 'previous', last_head,
        'head', coalesce(encode(audit_head(line, decode(last_head, 'hex')), 'hex'), last_head),
        'marks', encode(coalesce(string_agg(int8send(seq) || substr(sha256(convert_to(line, 'UTF8')), 1, 8), ''), ''), 'base64'),
        'full', count(*) = most)
    into said
    from (
        select seq, audit_line(a) as line from audit a
        where (transaction_id, seq) >= (starts_transaction, starts_seq) and (transaction_id, seq) < (ends_transaction, ends_seq)
        order by transaction_id, seq
    ) as stretch;
    if said -> 'rows' = '0' and before.sealed_at > at - interval '30 minutes' then
        return null;
    end if;
    return said;
end $$;

-- A seal as the product reads it.
create or replace function audit_seal_document(s audit_seal) returns jsonb language sql stable parallel safe as $$
    select jsonb_build_object(
        'number', s.number,
        'from', jsonb_build_object('transaction', s.from_transaction::text::numeric, 'seq', s.from_seq),
        'until', jsonb_build_object('transaction', s.until_transaction::text::numeric, 'seq', s.until_seq),
        'rows', s.rows, 'first', s.first_seq, 'last', s.last_seq, 'previous', s.previous, 'head', s.head,
        'marks', encode(sha256(s.marks), 'hex'), 'sealed_at', s.sealed_at, 'key', s.key_id, 'signature', s.signature)
$$;

-- What an identifier in a refused request may have meant of a patient: themselves, or something of theirs.
create or replace function objects_of(of_patient uuid) returns setof uuid language sql stable as $$
    select of_patient union all select id from appointment where patient_id = of_patient
    union all select id from document where patient_id = of_patient
$$;

-- Whether a document is kept from who reads the log: a line that names it would tell of it.
create or replace function kept_back(who jsonb, d document) returns boolean language sql stable as $$
    select d.hidden_from_patient_since is not null
        or (document_secret(d) and not related(who, 'oneself-proven', d.patient_id, null, null))
$$;

-- Whether a member of an establishment ever was a professional there, or worked for them.
create or replace function worked_for(account uuid, acts_as text, establishment uuid, whom uuid) returns boolean
language sql stable as $$
    select exists (select from membership m left join attachment t on t.membership_id = m.id
        where m.account_id = account and m.establishment_id = establishment and m.role = acts_as
          and (m.practitioner_id = whom or t.practitioner_id = whom))
$$;

-- Whether a line would tell its reader of a visit that is kept from them: it names one, or a professional left it who had to do
-- with the patient by such visits only. What was seen in an emergency is told: that was a reason of its own.
create or replace function tells_a_secret(who jsonb, of_patient uuid, a audit) returns boolean language sql stable as $$
    select exists (select from appointment v where v.id = a.object_id and hidden(who, v))
        or exists (select from document d where d.id = a.object_id and kept_back(who, d))
        or (a.role <> 'patient' and a.establishment_id is not null and a.purpose is distinct from 'ETREAT'
            and exists (select from appointment v join site on site.id = v.site_id
                where v.patient_id = of_patient and site.establishment_id = a.establishment_id and v.created_at <= a.at
                  and hidden(who, v)
                  -- Whom it was moved away from has its reservation still.
                  and (worked_for(a.actor_id, a.role, a.establishment_id, v.practitioner_id)
                       or exists (select from reservation r where r.appointment_id = v.id
                                  and worked_for(a.actor_id, a.role, a.establishment_id, r.resource_id))))
            and not exists (select from appointment v join site on site.id = v.site_id
                where v.patient_id = of_patient and site.establishment_id = a.establishment_id and v.created_at <= a.at
                  and v.status in ('booked', 'cancelled') and not hidden(who, v)
                  and (v.ends_at > a.at - interval '2 years' or v.id = a.object_id)
                  and worked_for(a.actor_id, a.role, a.establishment_id, v.practitioner_id)
                  -- Whoever shut them out believes that they see nothing any longer.
                  and not exists (select from block b
                      where b.patient_id = of_patient and b.practitioner_id = v.practitioner_id and b.since <= a.at
                        and (b.until is null or b.until > a.at)))
            and not exists (select from emergency_access e
                where e.patient_id = of_patient and e.account_id = a.actor_id and e.establishment_id = a.establishment_id
                  and e.since <= a.at and a.at < e.until))
$$;

-- Whether it is something that the young person themself was refused, as a visit that they wanted kept secret.
create or replace function tried_in_vain(of_patient uuid, a audit) returns boolean language sql stable as $$
    select a.outcome = 'refused' and exists (
        select from guardianship own
        where own.patient_id = of_patient and own.account_id = a.actor_id and own.relation = 'self')
$$;

-- Lines of the trail that concern a patient, newest first, below a line (`before_*`): what was done, and what was refused to
-- somebody who named something of theirs; without those that would tell the reader of a visit that is kept from them.
create or replace function access_lines(
    who jsonb, of_patient uuid, from_at timestamptz, until_at timestamptz, most bigint, before_at timestamptz, before_seq bigint
) returns table (
    seq bigint, at timestamptz, event text, action text, outcome text, purpose text, actor_kind text, actor_id uuid,
    role text, establishment_id uuid, concerns uuid, emergency boolean
) language sql stable as $$
    with secrets as materialized (
        -- Nearly nobody has any: then no line need be looked at twice.
        select exists (select from appointment v where v.patient_id = of_patient and hidden(who, v))
            or exists (select from document d where d.patient_id = of_patient and kept_back(who, d)) as kept
    ), tries as materialized (
        -- Of somebody else's: what they were refused themself is theirs to know.
        select not exists (select from guardianship g
            where g.account_id = (who ->> 'account')::uuid and g.patient_id = of_patient and g.relation = 'self') as kept
    ), latest as (
        (select a.* from audit a
         where a.patient_id = of_patient
           and (from_at is null or a.at >= from_at) and (until_at is null or a.at < until_at)
           and (before_at is null or (a.at, a.seq) < (before_at, before_seq))
           and (not (select kept from secrets) or not tells_a_secret(who, of_patient, a))
           and (not (select kept from tries) or not tried_in_vain(of_patient, a))
         order by a.at desc, a.seq desc limit most)
        union all
        (select a.* from objects_of(of_patient) object join audit a on a.object_id = object
         where a.outcome = 'refused' and a.patient_id is null
           and (from_at is null or a.at >= from_at) and (until_at is null or a.at < until_at)
           and (before_at is null or (a.at, a.seq) < (before_at, before_seq))
           and (not (select kept from secrets) or not tells_a_secret(who, of_patient, a))
           and (not (select kept from tries) or not tried_in_vain(of_patient, a))
         order by a.at desc, a.seq desc limit most)
    )
    select latest.seq, latest.at, latest.event, latest.action, latest.outcome, latest.purpose, latest.actor_kind,
           latest.actor_id, latest.role, latest.establishment_id, of_patient,
           coalesce(latest.purpose = 'ETREAT', false) or exists (
               select from emergency_access e
               where e.patient_id = of_patient and e.account_id = latest.actor_id
                 and e.establishment_id = latest.establishment_id and e.since <= latest.at and latest.at < e.until)
    from latest
    order by latest.at desc, latest.seq desc
    limit most
$$;

-- What somebody is called as a professional, by the directory. Never how to reach them.
create or replace function professional_name(account uuid, acts_as text, establishment uuid) returns text language sql stable as $$
    select concat_ws(' ', nullif(p.title, ''), p.given_name, p.family_name)
    from membership m join practitioner p on p.id = m.practitioner_id
    where m.account_id = account and m.establishment_id = establishment and m.role = acts_as
    order by m.until desc nulls first limit 1
$$;
