//! The same bookings without us: `pgbench` calls the statement of `functions/book/sql/book.sql` on the same database.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use domain::Timestamp;
use runtime::host::StartError;
use sqlx::PgPool;

use super::wishes::Wish;
use crate::postgres;

/// The statement under test, its two parameters taken from a row, which costs pgbench one look into a small index.
const BOOK: &str = include_str!("../../../../../functions/book/sql/book.sql");
const WISHES: &str = "create unlogged table bench_wish (n bigint primary key, who text, doc text)";

/// A table of wishes, and how many were used.
pub(super) struct Pgbench {
    program: PathBuf,
    script: PathBuf,
    url: String,
    used: usize,
    clients: usize,
}

impl Pgbench {
    /// With an empty table of wishes.
    pub(super) async fn new(pool: &PgPool, url: &str, clients: usize) -> Result<Self, StartError> {
        sqlx::query("drop table if exists bench_wish").execute(pool).await?;
        sqlx::query(WISHES).execute(pool).await?;
        let statement = BOOK.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join(" ");
        let statement = statement.replace("$1", "wish.who").replace("$2", "wish.doc");
        let script = std::env::temp_dir().join(format!("carnet-bench-{}.sql", std::process::id()));
        let text = format!(
            "\\set n :n + {clients}\n\\set k :n + :client_id\n{statement} from bench_wish wish where n = :k;\n"
        );
        std::fs::write(&script, text)?;
        Ok(Self { program: postgres::program("pgbench")?, script, url: url.to_owned(), used: 0, clients })
    }

    /// Books all of them, and returns the rate.
    pub(super) async fn run(&mut self, pool: &PgPool, wishes: &[Wish], now: Timestamp) -> Result<f64, StartError> {
        let each = wishes.len() / self.clients;
        let wishes = &wishes[..each * self.clients];
        let first = i64::try_from(self.used)?;
        let documents: Vec<String> = wishes.iter().map(Wish::document).collect();
        let actors: Vec<String> = wishes.iter().map(|wish| wish.who(now)).collect();
        let fill = "insert into bench_wish select $1 + n - 1, who, doc
                    from unnest($2::text[], $3::text[]) with ordinality as wish (who, doc, n)";
        sqlx::query(fill).bind(first).bind(&actors).bind(&documents).execute(pool).await?;
        sqlx::query("analyze bench_wish").execute(pool).await?;
        self.used += wishes.len();

        let mut command = Command::new(&self.program);
        command.args(["--no-vacuum", "--protocol", "prepared", "--jobs", "2"]);
        command.args(["--client", &self.clients.to_string(), "--transactions", &each.to_string()]);
        command.arg("--define").arg(format!("n={}", first - i64::try_from(self.clients)?));
        command.arg("--file").arg(&self.script).arg(&self.url).stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        rate.filter(|_| output.status.success())
            .ok_or_else(|| format!("pgbench: {text}{}", String::from_utf8_lossy(&output.stderr)).into())
    }

    /// Removes what only this needed.
    pub(super) async fn end(self, pool: &PgPool) -> Result<(), StartError> {
        std::fs::remove_file(&self.script)?;
        sqlx::query("drop table bench_wish").execute(pool).await?;
        Ok(())
    }
}
