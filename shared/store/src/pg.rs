//! The native driver: sqlx over a pool.

use std::time::Duration;

use domain::access::{POLICY as POLICY_RULES, Rule};
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::types::Json;
use sqlx::{Connection, Postgres, Row as _};

use crate::refusal::Refusal;
use crate::{Db, DbError, Param, Row};

/// Longest wait for a free connection before the caller is told to come back.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// A connection idle for longer is asked whether it still lives before it is lent.
const TRUSTED_IDLE: Duration = Duration::from_secs(2);

/// PostgreSQL through a pool of connections.
#[derive(Clone)]
pub struct Pg {
    pool: PgPool,
}

impl Pg {
    /// A pool that connects when first used: a process starts, and says so on `/readyz`, while the database is down. Its
    /// statements run as the user of the URL: for migrations and tools.
    ///
    /// Every session gets `statement_timeout` 8 s, `lock_timeout` 5 s and `idle_in_transaction_session_timeout` 5 s.
    ///
    /// # Errors
    /// [`DbError::Bug`] when `url` is not a PostgreSQL URL.
    pub fn lazy(url: &str, connections: u32) -> Result<Self, DbError> {
        Self::with_role(url, connections, None)
    }

    /// As [`Pg::lazy`], but its statements run as a role that may less than the user of the URL, who is a member of it:
    /// the functions' own, `carnet_app`, which the migrations make. Without that role there are no connections.
    ///
    /// # Errors
    /// As [`Pg::lazy`].
    pub fn with_role(url: &str, connections: u32, role: Option<&str>) -> Result<Self, DbError> {
        let role = role.map(str::to_owned);
        let unknown = || DbError::Bug("DATABASE_URL is not a PostgreSQL URL".into());
        // The parser does not look at the scheme.
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(unknown());
        }
        let options: PgConnectOptions = url.parse().map_err(|_| unknown())?;
        let options = options.application_name("carnet").options([
            ("statement_timeout", "8000"),
            ("lock_timeout", "5000"),
            ("idle_in_transaction_session_timeout", "5000"),
            ("timezone", "UTC"),
            // One text, one plan: planning the search anew for each call costs as much as running it. Every statement is
            // written to be fast whatever its parameters are.
            ("plan_cache_mode", "force_generic_plan"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let role = role.clone();
                Box::pin(async move {
                    if let Some(role) = role {
                        sqlx::query("select set_config('role', $1, false)").bind(role).execute(connection).await?;
                    }
                    Ok(())
                })
            })
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for < TRUSTED_IDLE {
                        return Ok(true);
                    }
                    Ok(connection.ping().await.is_ok())
                })
            })
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// The pool itself, for bulk work of `infra` that no function does.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Brings the schema up to date. Safe to run from several processes at once: both halves hold an advisory lock.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] without a database, [`DbError::Bug`] when a migration fails.
    pub async fn migrate(&self) -> Result<(), DbError> {
        let migrator = migrator();
        migrator.run(&self.pool).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => from_sqlx(error),
            other => DbError::Bug(other.to_string()),
        })?;
        let ours = migrator.iter().map(|migration| migration.version).max().unwrap_or_default();
        self.define_routines(ours).await.map_err(from_sqlx)
    }

    /// SQL functions have no history of their own: each file is defined anew, whole, whenever its text is another. On the
    /// schema of a later release they are that release's, and so are the policy and the grants: `ours` is our last migration.
    async fn define_routines(&self, ours: i64) -> Result<(), sqlx::Error> {
        let mut work = self.pool.begin().await?;
        sqlx::query("select pg_advisory_xact_lock(hashtext('carnet routines'))").execute(&mut *work).await?;
        let newest: i64 = sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(&mut *work).await?;
        if newest > ours {
            return work.commit().await;
        }
        for (name, sql) in ROUTINES {
            let changed = "insert into routine (name, digest) values ($1, md5($2))
                on conflict on constraint routine_pkey do update set digest = excluded.digest
                where routine.digest <> excluded.digest";
            if sqlx::query(changed).bind(name).bind(sql).execute(&mut *work).await?.rows_affected() == 1 {
                sqlx::raw_sql(sqlx::SqlStr::from_static(sql)).execute(&mut *work).await?;
            }
        }
        let rules: Vec<_> = POLICY_RULES.iter().flat_map(rows_of).collect();
        sqlx::query(POLICY).bind(Json(rules)).execute(&mut *work).await?;
        sqlx::raw_sql(sqlx::SqlStr::from_static(GRANTS)).execute(&mut *work).await?;
        work.commit().await
    }

    /// Closes every connection, waiting for the statements under way.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// The schema's history, oldest first. Forward only; expand, then contract in a later release.
fn migrator() -> Migrator {
    let migrations = [
        (20_261_122_000_001, "house", include_str!("../migrations/20261122000001_house.sql")),
        (20_261_123_000_001, "routine", include_str!("../migrations/20261123000001_routine.sql")),
        (20_261_124_000_001, "corrections", include_str!("../migrations/20261124000001_corrections.sql")),
        (20_261_124_000_002, "trust", include_str!("../migrations/20261124000002_trust.sql")),
        (20_261_124_000_003, "sealed", include_str!("../migrations/20261124000003_sealed.sql")),
        (20_261_124_000_010, "account_life", include_str!("../migrations/20261124000010_account_life.sql")),
        (20_261_124_000_011, "second_factors", include_str!("../migrations/20261124000011_second_factors.sql")),
        (20_261_124_000_012, "openid", include_str!("../migrations/20261124000012_openid.sql")),
        (20_261_124_000_013, "audit_seal", include_str!("../migrations/20261124000013_audit_seal.sql")),
        (20_261_124_000_014, "limits", include_str!("../migrations/20261124000014_limits.sql")),
        (20_261_124_000_015, "people", include_str!("../migrations/20261124000015_people.sql")),
        (20_261_124_000_016, "lookup_key", include_str!("../migrations/20261124000016_lookup_key.sql")),
        (20_261_124_000_017, "ways_in", include_str!("../migrations/20261124000017_ways_in.sql")),
        (20_261_124_000_020, "relations", include_str!("../migrations/20261124000020_relations.sql")),
        (20_261_124_000_021, "phone", include_str!("../migrations/20261124000021_phone.sql")),
        (20_261_124_000_022, "words_sealed", include_str!("../migrations/20261124000022_words_sealed.sql")),
        (20_261_124_000_023, "ended", include_str!("../migrations/20261124000023_ended.sql")),
        (20_261_124_000_024, "documents", include_str!("../migrations/20261124000024_documents.sql")),
        (20_261_127_000_025, "calendar_feeds", include_str!("../migrations/20261127000025_calendar_feeds.sql")),
        (20_261_127_000_026, "webhooks", include_str!("../migrations/20261127000026_webhooks.sql")),
        (20_261_127_000_027, "push", include_str!("../migrations/20261127000027_push.sql")),
        (20_261_127_000_028, "notices", include_str!("../migrations/20261127000028_notices.sql")),
        (20_261_128_000_029, "webhook_facts", include_str!("../migrations/20261128000029_webhook_facts.sql")),
        (20_261_128_000_030, "notice_rules", include_str!("../migrations/20261128000030_notice_rules.sql")),
        (20_261_128_000_031, "sms_stops", include_str!("../migrations/20261128000031_sms_stops.sql")),
        (20_261_128_000_032, "notice_sending", include_str!("../migrations/20261128000032_notice_sending.sql")),
        (20_261_128_000_033, "exchange", include_str!("../migrations/20261128000033_exchange.sql")),
        (20_261_128_000_034, "following", include_str!("../migrations/20261128000034_following.sql")),
        (20_261_128_000_035, "listening", include_str!("../migrations/20261128000035_listening.sql")),
    ];
    let mut migrator = Migrator::with_migrations(
        migrations
            .into_iter()
            .map(|(version, name, sql)| {
                Migration::new(version, name.into(), MigrationType::Simple, sqlx::SqlStr::from_static(sql), false)
            })
            .collect(),
    );
    // A release that is rolled back starts on the schema of the later one.
    migrator.set_ignore_missing(true);
    migrator
}

/// SQL functions, by file, in the order of who needs whom.
const ROUTINES: &[(&str, &str)] = &[
    ("access", include_str!("../routines/access.sql")),
    ("audit", include_str!("../routines/audit.sql")),
    ("booking", include_str!("../routines/booking.sql")),
    ("calendar", include_str!("../routines/calendar.sql")),
    ("documents", include_str!("../routines/documents.sql")),
    ("openid", include_str!("../routines/openid.sql")),
    ("patients", include_str!("../routines/patients.sql")),
    ("people", include_str!("../routines/people.sql")),
    ("push", include_str!("../routines/push.sql")),
    ("sessions", include_str!("../routines/sessions.sql")),
    ("sign_in_attempts", include_str!("../routines/sign_in_attempts.sql")),
    ("notices", include_str!("../routines/notices.sql")),
    ("webhooks", include_str!("../routines/webhooks.sql")),
    ("exchange", include_str!("../routines/exchange.sql")),
];
/// Writes the policy as it is in the code.
const POLICY: &str = include_str!("../routines/policy.sql");
/// What the application may do: everything but to change or remove what is only added to.
const GRANTS: &str = include_str!("../routines/grants.sql");

/// A rule as rows of the table: one for each action and relation.
fn rows_of(rule: &Rule) -> Vec<[&'static str; 4]> {
    let rows = rule.actions.iter().flat_map(|action| rule.relations.iter().map(move |relation| (action, relation)));
    rows.map(|(action, relation)| [rule.role.name(), rule.resource.name(), action.name(), relation.name()]).collect()
}

impl Db for Pg {
    fn rows<'a>(&'a self, sql: &'static str, params: Vec<Param>) -> BoxFuture<'a, Result<Vec<Row>, DbError>> {
        Box::pin(async move {
            let query = || params.clone().into_iter().fold(sqlx::query(sql), bind).fetch_all(&self.pool);
            let rows = match query().await {
                // Of a statement that failed nothing was done: it may be sent again.
                Err(error) if schema_moved(&error) => query().await,
                outcome => outcome,
            };
            rows.map_err(from_sqlx)?.iter().map(document).collect()
        })
    }
}

/// Whether a table was given a column, by a later release, while the statement or what its connection remembers of it was
/// made for the table as it had been.
fn schema_moved(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else { return false };
    let signs = [
        ("XX000", "exceeds number of columns"),
        ("0A000", "cached plan must not change result type"),
        ("42804", "when preparing the plan"),
    ];
    let (code, message) = (database.code().unwrap_or_default(), database.message());
    signs.iter().any(|(known, sign)| code == *known && message.contains(sign))
}

fn bind(query: Query<'_, Postgres, PgArguments>, param: Param) -> Query<'_, Postgres, PgArguments> {
    match param {
        Param::Uuid(value) => query.bind(value),
        Param::Text(value) => query.bind(value),
        Param::Int(value) => query.bind(value),
        Param::Bool(value) => query.bind(value),
        Param::Json(value) => query.bind(value.map(Json)),
        Param::Texts(values) => query.bind(values),
        Param::Uuids(values) => query.bind(values.iter().map(ToString::to_string).collect::<Vec<_>>()),
    }
}

fn document(row: &PgRow) -> Result<Row, DbError> {
    row.try_get::<Json<Box<RawValue>>, _>(0).map(|Json(document)| document).map_err(from_sqlx)
}

/// Sorts a failure.
fn from_sqlx(error: sqlx::Error) -> DbError {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            let postgres = database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>();
            DbError::from(Refusal {
                code: &code,
                message: database.message(),
                constraint: database.constraint(),
                detail: postgres.and_then(sqlx::postgres::PgDatabaseError::detail),
            })
        }
        sqlx::Error::Io(error) => DbError::Unavailable(error.kind().to_string()),
        sqlx::Error::PoolTimedOut => DbError::Unavailable("no free connection in time".into()),
        sqlx::Error::PoolClosed => DbError::Unavailable("closing".into()),
        sqlx::Error::Tls(error) => DbError::Unavailable(format!("TLS: {error}")),
        sqlx::Error::Protocol(_) => DbError::Unavailable("protocol".into()),
        other => DbError::Bug(other.to_string()),
    }
}
