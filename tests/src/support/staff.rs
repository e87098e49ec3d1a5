//! The demo staff of the fixtures, signed in as they would be with two factors.

use domain::ids::{AccountId, SessionId};
use gateway::fixtures::id;
use serde_json::Value;
use uuid::Uuid;

use super::{App, Client};

impl App {
    /// A demo member of staff (`staff.json`) in their own role, known by two factors.
    pub async fn staff(&self, key: &str) -> Client {
        self.staff_at_level(key, 2).await
    }

    /// The same, known by that many factors.
    pub async fn staff_at_level(&self, key: &str, level: i16) -> Client {
        let (account, membership) = (id("account", &format!("staff/{key}")), id("membership", key));
        let held: Option<String> = sqlx::query_scalar("select role from membership where id = $1")
            .bind(membership)
            .fetch_optional(self.pool())
            .await
            .unwrap();
        match held {
            Some(role) => self.acting(account, &role, Some(membership), level).await,
            None => self.acting(account, "operator", None, level).await,
        }
    }

    /// Somebody who acts in a capacity, whatever they may.
    pub async fn acting(&self, account: Uuid, role: &str, membership: Option<Uuid>, level: i16) -> Client {
        let session = Uuid::now_v7();
        let sql = "insert into session (id, account_id, created_at, expires_at, role, membership_id, level)
                   values ($1, $2, $3::timestamptz, 'infinity', $4, $5, $6)";
        let query = sqlx::query(sql).bind(session).bind(account).bind(self.now().to_string()).bind(role);
        query.bind(membership).bind(level).execute(self.pool()).await.unwrap();
        let token =
            self.gateway.ctx.keys.issue(AccountId::from_uuid(account), SessionId::from_uuid(session), self.now());
        self.nobody().bearing(&token.unwrap())
    }

    /// A practitioner of the fixtures, at work in the practice of the slopes.
    pub async fn practitioner_of_pentes(&self, key: &str) -> Client {
        let (account, membership) = (Uuid::now_v7(), Uuid::now_v7());
        let (wrapped, _) = self.gateway.ctx.keys.new_owner(account).await.unwrap();
        let sql = "with a as (insert into account (id, wrapped_key, password_hash, created_at) values ($1, $2, '-', '2020-01-01'))
            insert into membership (id, account_id, establishment_id, role, practitioner_id, since)
            values ($3, $1, $4, 'practitioner', $5, '2020-01-01')";
        let work =
            sqlx::query(sql).bind(account).bind(wrapped).bind(membership).bind(id("establishment", "pentes-plateau"));
        work.bind(id("practitioner", key)).execute(self.pool()).await.unwrap();
        self.acting(account, "practitioner", Some(membership), 2).await
    }

    /// A practitioner of the fixtures.
    pub fn practitioner(key: &str) -> String {
        id("practitioner", key).to_string()
    }

    /// Free times of a practitioner of the fixtures, of the first reason at the first place.
    pub async fn slots_with(&self, key: &str) -> Vec<Value> {
        let practitioner = Self::practitioner(key);
        let page = self.nobody().get(&format!("/v1/practitioners/{practitioner}")).await.expect(200);
        let first = |list: &str| page[list][0]["id"].as_str().unwrap().to_owned();
        let query = format!("practitioner={practitioner}&reason={}&site={}", first("reasons"), first("sites"));
        self.slots(&format!("{query}&from=2026-03-05&to=2026-04-05&limit=100")).await
    }
}
