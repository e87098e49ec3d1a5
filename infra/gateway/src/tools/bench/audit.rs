//! How fast the audit trail is sealed and verified.

use std::sync::Arc;
use std::time::Instant;

use runtime::host::StartError;
use store::pg::Pg;

use super::Bench;
use super::report::Report;
use crate::loops::trigger;
use crate::serve;
use crate::tools::audit::Trail;

const FILL: &str = include_str!("../../../sql/bench/trail.sql");
/// Rows of one transaction.
const ROWS: i64 = 50_000;

/// Adds rows, seals them, and verifies the whole trail.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub(super) async fn measure(bench: &Bench, rows: i64, report: &mut Report) -> Result<(), StartError> {
    let pg = Pg::with_role(
        bench.config.database_url.as_deref().unwrap_or_default(),
        bench.config.database_pool,
        bench.config.database_role.as_deref(),
    )?;
    let gateway = serve::gateway(&bench.config, Arc::new(pg.clone()), Arc::default(), None)?;
    let seal = async || trigger(&gateway.app.events, "seal-audit").await.ok_or("seal-audit failed");
    // What earlier measures left is none of ours.
    seal().await?;
    let now = gateway.ctx.now().to_string();
    for begin in (0..rows).step_by(usize::try_from(ROWS)?) {
        sqlx::query(FILL).bind(ROWS.min(rows - begin)).bind(&now).execute(&bench.pool).await?;
    }
    sqlx::query("vacuum analyze audit").execute(&bench.pool).await?;
    let began = Instant::now();
    seal().await?;
    report.figure(format!("audit: sealing {rows} rows"), rows as f64 / began.elapsed().as_secs_f64(), "rows/s");

    let seals = gateway.ctx.seals.as_ref().ok_or("nothing is sealed here")?;
    let trail = Trail::new(bench.pool.clone(), vec![seals.key.public()], seals.objects.clone());
    let began = Instant::now();
    let found = trail.verify(Arc::new(|_, _| {})).await?;
    let rate = found.rows as f64 / began.elapsed().as_secs_f64();
    report.at_least(format!("audit: verifying {} rows", found.rows), rate, "rows/s", 200_000.0);
    report.note("audit: rows left without a seal", i64::try_from(found.unsealed)?);
    report.note("audit: findings", i64::try_from(found.total)?);
    pg.close().await;
    Ok(())
}
