//! Calendars elsewhere: a server and a mailbox of the case, and what to send to their routes.

use domain::ids::{ExchangeServerId, MailboxId};
use gateway::fixtures::id;
use runtime::mailboxes::{Address, Settings};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{HERE, VISITED};
use crate::support::App;

/// A server of the establishment, and the mailbox of the practitioner who has the visit, about which something is asked.
pub struct Calendars {
    pub server: Uuid,
    pub mailbox: Uuid,
    visit: Uuid,
}

const ROWS: [&str; 6] = [
    "delete from exchange_link",
    "delete from exchange_mailbox",
    "delete from exchange_server",
    "insert into exchange_server (id, establishment_id, kind, name, wrapped_key, settings, created_by, created_at)
     select ($1 ->> 'server')::uuid, ($1 ->> 'here')::uuid, 'graph', '-', $1 ->> 'key', $1 ->> 'settings', ($1 ->> 'other')::uuid, '2026-01-15'",
    "insert into exchange_mailbox (id, server_id, establishment_id, practitioner_id, address, address_lookup, state, read_at, created_by, created_at)
     select ($1 ->> 'mailbox')::uuid, ($1 ->> 'server')::uuid, ($1 ->> 'here')::uuid, ($1 ->> 'visited')::uuid, $1 ->> 'address', '-', 'active',
            '2099-01-01', ($1 ->> 'other')::uuid, '2026-01-15'",
    "insert into exchange_link (mailbox_id, appointment_id, generation, state, asked_since)
     select ($1 ->> 'mailbox')::uuid, ($1 ->> 'visit')::uuid, 1, '{\"proposed\": \"removed\"}', '2026-01-20'",
];

impl Calendars {
    /// Written into the database; `other` is an account that there is.
    pub async fn of(app: &App, visit: Uuid, other: Uuid) -> Self {
        let (server, mailbox) = (Uuid::now_v7(), Uuid::now_v7());
        let keys = &app.gateway.ctx.keys;
        let access =
            Settings::Graph { tenant: "t".into(), client: "c".into(), secret: Some("s".into()), certificate: None };
        let (id_of_server, id_of_mailbox) = (ExchangeServerId::from_uuid(server), MailboxId::from_uuid(mailbox));
        let (key, settings) = access.sealed(keys, id_of_server).await.unwrap();
        let address = Address::seal(keys, id_of_server, &key, id_of_mailbox, "a@b.example").await.unwrap();
        let rows = json!({"server": server, "mailbox": mailbox, "here": id("establishment", HERE), "other": other,
            "visited": id("practitioner", VISITED), "visit": visit, "key": key, "settings": settings, "address": address});
        for sql in ROWS {
            let query = sqlx::query(sql);
            let query = if sql.contains("$1") { query.bind(&rows) } else { query };
            query.execute(app.pool()).await.unwrap();
        }
        Self { server, mailbox, visit }
    }

    /// What is sent to a route.
    pub fn sent(&self, method: &str, template: &str) -> Value {
        match (method, template) {
            ("GET", _) => Value::Null,
            (_, "/v1/exchange-servers") => {
                json!({"name": "-", "access": {"kind": "graph", "tenant": "t", "client": "c", "secret": "s"}})
            }
            (_, "/v1/exchange-mailboxes") => {
                json!({"server": self.server, "practitioner": id("practitioner", VISITED), "address": "a@b.example"})
            }
            (_, path) if path.ends_with("/answers") => json!({"appointment": self.visit, "answer": "keep"}),
            _ => json!({}),
        }
    }
}
