//! Mass data for measures: practitioners, patients and booked appointments, the same on every machine.
//!
//! Everything is computed in PostgreSQL from the index of the practitioner, in blocks. A block is one transaction and
//! brings its practitioners, their agendas, patients, appointments, reservations and audit rows, so a crash leaves whole
//! blocks and the next run adds what is missing. There is no outbox row: these bookings are nobody's news.
//!
//! No constraint or index is dropped. On PostgreSQL 15, making `reservation_no_overlap` again for two million rows took
//! 100 s of one core (a third to build, the rest to check what is there), under an exclusive lock and not to be split.
//! Going through the live constraint costs about the same work, but on all cores and with nothing to put back.

mod calendar;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use futures_util::future::try_join_all;
use serde_json::Value;
use sqlx::{Connection, PgPool, postgres::PgConnection};

/// What a run added; all zero when it was there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Generated {
    /// Practitioners added.
    pub practitioners: u64,
    /// Patients added.
    pub patients: u64,
    /// Appointments added, each with two reservations and one audit row.
    pub appointments: u64,
}

/// Practitioners in a block: enough for one statement to be worth planning, few enough for progress to be seen.
const BLOCK: u32 = 250;
/// The fictive RPPS numbers end here.
const MOST_PRACTITIONERS: u32 = 900_000;

const TOWNS: &str = include_str!("../../../fixtures/towns.json");
const SEED_ID: &str = include_str!("../sql/generate/seed_id.sql");
const PRACTITIONERS: &str = include_str!("../sql/generate/practitioners.sql");
const APPOINTMENTS: &str = include_str!("../sql/generate/appointments.sql");
// Ids and their references come from the same rows of the same statement, so the foreign keys have nothing to find and
// cost as much as the rest. Only a superuser may skip them, and only until the end of the transaction; the exclusion
// constraint and the unique indexes stay in force.
const FOR_THIS_BLOCK: &str = "select set_config('work_mem', '64MB', true),
    case when (select rolsuper from pg_roles where rolname = current_user)
        then set_config('session_replication_role', 'replica', true) end";

/// Adds practitioners up to `practitioners` and, for those added, their share of `appointments`; `now` is RFC 3339.
/// `progress` is told the step, how far it is and how far it goes.
///
/// # Errors
/// When the database refuses, has no specialties (the fixtures come first), or too many practitioners are wanted.
pub async fn generate(
    pool: &PgPool, practitioners: u32, appointments: u32, now: &str, progress: &dyn Fn(&str, u64, u64),
) -> Result<Generated, sqlx::Error> {
    let specialties: i64 = sqlx::query_scalar("select count(*) from specialty").fetch_one(pool).await?;
    if specialties == 0 {
        return Err(sqlx::Error::Configuration("no specialties: load the fixtures first".into()));
    }
    if practitioners > MOST_PRACTITIONERS {
        return Err(sqlx::Error::Configuration(format!("at most {MOST_PRACTITIONERS} practitioners").into()));
    }
    let order = Order {
        practitioners,
        appointments,
        now,
        towns: serde_json::from_str(TOWNS).map_err(|error| sqlx::Error::Decode(error.into()))?,
        closed: calendar::closed_dates(now)?,
        next: AtomicU32::new(0),
        done: AtomicU64::new(0),
    };
    progress("appointments", 0, order.blocks().into());
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).clamp(2, 4);
    let workers = u32::try_from(cores).unwrap_or(2).min(pool.options().get_max_connections()).min(order.blocks());
    let parts = try_join_all((0..workers).map(|_| order.work(pool, progress))).await?;
    let all = parts.into_iter().fold(Generated::default(), Generated::plus);

    let tables = [
        "resource",
        "practitioner",
        "practitioner_specialty",
        "site",
        "practice",
        "reason",
        "opening",
        "patient",
        "appointment",
        "reservation",
        "audit",
    ];
    progress("analyze", 0, 1);
    if all.practitioners > 0 {
        // Vacuum too: index-only scans want the visibility map, and measures must not meet an autovacuum.
        sqlx::query(sqlx::AssertSqlSafe(format!("vacuum (analyze) {}", tables.join(", ")))).execute(pool).await?;
    }
    progress("analyze", 1, 1);
    Ok(all)
}

impl Generated {
    fn plus(self, other: Self) -> Self {
        Self {
            practitioners: self.practitioners + other.practitioners,
            patients: self.patients + other.patients,
            appointments: self.appointments + other.appointments,
        }
    }
}

/// What is wanted, and how far the workers are.
struct Order<'a> {
    practitioners: u32,
    appointments: u32,
    now: &'a str,
    towns: Value,
    closed: Vec<String>,
    next: AtomicU32,
    done: AtomicU64,
}

impl Order<'_> {
    fn blocks(&self) -> u32 {
        self.practitioners.div_ceil(BLOCK)
    }

    async fn work(&self, pool: &PgPool, progress: &dyn Fn(&str, u64, u64)) -> Result<Generated, sqlx::Error> {
        // Closed at the end, so that no function or setting of ours returns to the pool.
        let mut connection = pool.acquire().await?.detach();
        sqlx::query(SEED_ID).execute(&mut connection).await?;
        let mut all = Generated::default();
        loop {
            let block = self.next.fetch_add(1, Ordering::Relaxed);
            if block >= self.blocks() {
                break;
            }
            all = all.plus(self.block(&mut connection, block).await?);
            let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
            progress("appointments", done, self.blocks().into());
        }
        connection.close().await?;
        Ok(all)
    }

    async fn block(&self, connection: &mut PgConnection, block: u32) -> Result<Generated, sqlx::Error> {
        let first = block * BLOCK;
        let last = (first + BLOCK).min(self.practitioners) - 1;
        let mut work = connection.begin().await?;
        sqlx::query(FOR_THIS_BLOCK).execute(&mut *work).await?;
        let fresh: Vec<i64> = sqlx::query_scalar(PRACTITIONERS)
            .bind(i64::from(first))
            .bind(i64::from(last))
            .bind(&self.towns)
            .bind(self.now)
            .fetch_one(&mut *work)
            .await?;
        let [appointments, patients] = if fresh.is_empty() {
            [0, 0]
        } else {
            let counts: Vec<i64> = sqlx::query_scalar(APPOINTMENTS)
                .bind(&fresh)
                .bind(i64::from(self.practitioners))
                .bind(i64::from(self.appointments))
                .bind(self.now)
                .bind(&self.closed)
                .fetch_one(&mut *work)
                .await?;
            [0, 1].map(|n| counts.get(n).map_or(0, |count| count.unsigned_abs()))
        };
        work.commit().await?;
        Ok(Generated { practitioners: fresh.len() as u64, patients, appointments })
    }
}
