//! Take practitioners from the national directory's open file.

mod batch;
mod file;
mod report;

use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use batch::{Batch, Seen, Written};
use domain::directory::Record;
use file::File;
use report::Report;
use runtime::{Ctx, Function, Problem};
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function = Function {
    name: "import-directory",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(import_directory))),
};

const START: Statement<Value> = statement!("start");
const WRITE: Statement<Written> = statement!("write");
const FINISH: Statement<Value> = statement!("finish");

/// Reads the file as it arrives and writes it in batches. Stopped anywhere, what was written stays and is whole;
/// running again completes it.
async fn import_directory(State(ctx): State<Ctx>, body: Body) -> Result<Json<Report>, Problem> {
    let mut file = File::open(body).await?;
    let run = Uuid::now_v7();
    ctx.db.one(&START, params![run, ctx.now()]).await?;
    let mut import = Import { report: Report::new(run), batch: Batch::default(), seen: Seen::default() };
    while let Some((number, line)) = file.next().await? {
        if let Some(record) = import.report.read(number, line) {
            import.take(&ctx, record).await?;
        }
    }
    import.write(&ctx).await?;
    ctx.db.one(&FINISH, params![run, import.report.document()?, ctx.now()]).await?;
    Ok(Json(import.report))
}

/// A run under way.
struct Import {
    report: Report,
    batch: Batch,
    seen: Seen,
}

impl Import {
    async fn take(&mut self, ctx: &Ctx, record: Record) -> Result<(), Problem> {
        if self.batch.is_full_for(&record) {
            self.write(ctx).await?;
        }
        self.batch.add(record, &self.seen);
        Ok(())
    }

    async fn write(&mut self, ctx: &Ctx) -> Result<(), Problem> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        let document = serde_json::to_value(&batch).map_err(Problem::internal)?;
        let so_far = self.report.counts();
        let written = ctx.db.one(&WRITE, params![document, self.report.run, so_far, ctx.now()]).await?;
        self.seen.note(&batch, &written, &mut self.report);
        Ok(())
    }
}
