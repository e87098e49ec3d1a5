use domain::ids::{AppointmentId, EstablishmentId, MailboxId};
use domain::interval::Interval;
use domain::sync::{Block, Face, Link, Mirror, Reconciled, RemoteId, State, Tag, Version, undo};
use domain::{SignedDuration, Timestamp};
use exchange::engine::{Book, Kept, Ledger, LedgerError};
use exchange::{Cursor, Fault};
use futures_util::FutureExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use store::shared::{
    EXCHANGE_ADVANCE, EXCHANGE_BOOK, EXCHANGE_FORGET, EXCHANGE_KEEP, EXCHANGE_PLACE, EXCHANGE_STUMBLE,
};
use store::{DbError, Query as _, Statement, params};
use uuid::Uuid;

use super::following;
use crate::Ctx;

/// An item that was refused rests so long, and twice as long each time…
const FIRST_REST: SignedDuration = SignedDuration::from_mins(5);
/// … up to so long.
const LONGEST_REST: SignedDuration = SignedDuration::from_hours(6);
/// How many times are taken by one statement, during which nobody books with the practitioner: some tenths of a second.
const PLACED_AT_ONCE: usize = 500;
/// The title of every item of ours: it tells nothing.
const SUBJECT: &str = "Rendez-vous";

/// Our side of one mailbox, in the database.
pub(super) struct Rows<'a> {
    pub ctx: &'a Ctx,
    pub mailbox: MailboxId,
    pub establishment: EstablishmentId,
    pub lease: Uuid,
}

#[derive(Deserialize)]
struct BookRow {
    cursor: Option<Cursor>,
    links: Vec<LinkRow>,
    wanted: Vec<WantedRow>,
    blocks: Vec<Block>,
    siblings: Vec<RemoteId>,
}

#[derive(Deserialize)]
struct LinkRow {
    appointment: AppointmentId,
    generation: u32,
    remote: Option<RemoteId>,
    version: Option<Version>,
    agreed: Option<Face>,
    state: State,
    overwrites: u32,
    /// Whether it stumbled; and whether it rests still.
    rests: Option<bool>,
    /// Whether the staff have said that ours stands.
    kept: bool,
}

#[derive(Deserialize)]
struct WantedRow {
    appointment: AppointmentId,
    starts_at: Timestamp,
    ends_at: Timestamp,
    time_zone: String,
    location: String,
}

impl Rows<'_> {
    /// One write under the lease.
    async fn write(&self, statement: &Statement<Value>, rest: Vec<store::Param>) -> Result<(), LedgerError> {
        let mut parameters = params![self.mailbox.as_uuid(), self.lease, self.ctx.now()];
        parameters.extend(rest);
        let written = self.ctx.db.optional(statement, parameters).await.map_err(|error| away(&error))?;
        written.map(|_| ()).ok_or(LedgerError::Lost)
    }
}

pub(super) fn away(error: &DbError) -> LedgerError {
    LedgerError::Away(error.to_string())
}

fn book(row: BookRow) -> Book {
    let generations: std::collections::HashMap<_, _> =
        row.links.iter().map(|link| (link.appointment, link.generation)).collect();
    let of =
        |wanted: fn(&LinkRow) -> bool| row.links.iter().filter(move |link| wanted(link)).map(|link| link.appointment);
    let resting = of(|link| link.rests == Some(true) && !link.kept).collect();
    let again = of(|link| link.rests == Some(false) || link.kept).collect();
    let mirror = |wanted: WantedRow| Mirror {
        tag: Tag {
            appointment: wanted.appointment,
            generation: generations.get(&wanted.appointment).copied().unwrap_or(1),
        },
        starts_at: wanted.starts_at,
        ends_at: wanted.ends_at,
        time_zone: wanted.time_zone,
        subject: SUBJECT.into(),
        location: wanted.location,
    };
    let link = |row: LinkRow| {
        let mut link = Link {
            tag: Tag { appointment: row.appointment, generation: row.generation },
            remote: row.remote,
            version: row.version,
            agreed: row.agreed,
            state: row.state,
            overwrites: row.overwrites,
        };
        if row.kept {
            undo(&mut link);
        }
        link
    };
    Book {
        cursor: row.cursor,
        wanted: row.wanted.into_iter().map(mirror).collect(),
        links: row.links.into_iter().map(link).collect(),
        blocks: row.blocks,
        siblings: row.siblings,
        resting,
        again,
    }
}

impl Ledger for Rows<'_> {
    fn open(&self, window: Interval) -> Kept<'_, Book> {
        async move {
            let statement = Statement::<BookRow>::new(EXCHANGE_BOOK.name, EXCHANGE_BOOK.sql);
            let parameters = params![self.mailbox.as_uuid(), self.lease, self.ctx.now(), window.start(), window.end()];
            let row = self.ctx.db.optional(&statement, parameters).await.map_err(|error| away(&error))?;
            Ok(book(row.ok_or(LedgerError::Lost)?))
        }
        .boxed()
    }

    fn keep<'a>(&'a self, link: &'a Link) -> Kept<'a, ()> {
        self.keep_all(std::slice::from_ref(link))
    }

    fn keep_all<'a>(&'a self, links: &'a [Link]) -> Kept<'a, ()> {
        let row = |link: &Link| {
            json!({
                "appointment": link.tag.appointment, "generation": link.tag.generation, "remote": link.remote,
                "version": link.version, "agreed": link.agreed, "state": link.state, "overwrites": link.overwrites,
                "asked": matches!(link.state, State::Proposed(_) | State::Doubtful(_)),
            })
        };
        let rows: Vec<Value> = links.iter().map(row).collect();
        async move {
            if rows.is_empty() { Ok(()) } else { self.write(&EXCHANGE_KEEP, params![Value::Array(rows)]).await }
        }
        .boxed()
    }

    fn forget<'a>(&'a self, link: &'a Link) -> Kept<'a, ()> {
        let appointment = link.tag.appointment.as_uuid();
        async move { self.write(&EXCHANGE_FORGET, params![appointment]).await }.boxed()
    }

    fn follow<'a>(&'a self, link: &'a Link, during: Interval) -> Kept<'a, bool> {
        async move { following::follow(self, link, during).await }.boxed()
    }

    fn stumble<'a>(&'a self, link: &'a Link, fault: &'a Fault) -> Kept<'a, ()> {
        let rest = params![
            link.tag.appointment.as_uuid(),
            link.tag.generation,
            fault.to_string(),
            FIRST_REST.as_secs(),
            LONGEST_REST.as_secs()
        ];
        async move { self.write(&EXCHANGE_STUMBLE, rest).await }.boxed()
    }

    fn place<'a>(&'a self, blocks: &'a Reconciled) -> Kept<'a, ()> {
        async move {
            let mut parts = blocks.place.chunks(PLACED_AT_ONCE);
            let mut retire: &[RemoteId] = &blocks.retire;
            // What goes frees its time for what comes. Without either it is still looked whether something has become free.
            let mut place = parts.next().unwrap_or_default();
            loop {
                let changes = json!({"place": place, "retire": std::mem::take(&mut retire)});
                let parameters = params![self.mailbox.as_uuid(), self.lease, self.ctx.now(), changes];
                let placed = self.ctx.db.one(&EXCHANGE_PLACE, parameters).await.map_err(|error| away(&error))?;
                if !placed.placed {
                    return Err(LedgerError::Lost);
                }
                match parts.next() {
                    Some(more) => place = more,
                    None => return Ok(()),
                }
            }
        }
        .boxed()
    }

    fn advance<'a>(&'a self, window: Interval, cursor: &'a Cursor) -> Kept<'a, ()> {
        let rest = params![window.start(), cursor.0.as_str()];
        async move { self.write(&EXCHANGE_ADVANCE, rest).await }.boxed()
    }
}
