//! The cases as a component: `GET /<case>` runs one, `POST /trap` ends the guest in the middle of a statement, `GET /away`
//! asks a database that is not there, `GET /who`
//! as whom statements run.

use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::future::select;
use store::spin::Spin;
use store::{Db as _, DbError, params};

use crate::{INTERRUPTED, INTERRUPTED_TABLE};

#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> Response {
    let router = Router::new()
        .route("/trap", post(trap))
        .route("/away", get(away))
        .route("/who", get(who))
        .route("/{case}", get(run));
    runtime::host::spin::serve(&router, request).await
}

async fn db() -> Result<Spin, String> {
    let config = runtime::host::spin::configuration().await.map_err(|error| error.to_string())?;
    Spin::new(config.database_url.as_deref().unwrap_or_default(), config.database_role.as_deref())
        .map_err(|error| error.to_string())
}

async fn run(Path(case): Path<String>) -> Result<String, String> {
    crate::run(&case, &db().await?).await.map(|()| "so it is".to_owned()).or_else(|what| Ok(format!("not so: {what}")))
}

/// The statement is under way for a second; the guest for a tenth of it.
#[expect(clippy::panic, reason = "a trap is wanted")]
async fn trap() -> Result<String, String> {
    let db = db().await?;
    db.rows(INTERRUPTED_TABLE, params![]).await.map_err(|error| error.to_string())?;
    select(db.rows(INTERRUPTED, params![]), Box::pin(spin_sdk::time::sleep(Duration::from_millis(100)))).await;
    panic!("a guest that traps");
}

/// Where nobody listens, and where the manifest does not allow.
async fn away() -> Result<String, String> {
    let mut said = Vec::new();
    for url in ["postgres://nobody@127.0.0.1:9/none", "postgres://nobody@127.0.0.2:5432/none"] {
        let db = Spin::new(url, None).map_err(|error| error.to_string())?;
        said.push(match db.rows("select to_jsonb(1)", params![]).await {
            Err(DbError::Unavailable(_)) => "unavailable".to_owned(),
            other => format!("{other:?}"),
        });
    }
    Ok(said.join(", "))
}

/// As whom statements run, time after time.
async fn who() -> Result<String, String> {
    let db = db().await?;
    let mut all = Vec::new();
    for _ in 0..5 {
        let rows = db.rows("select to_jsonb(current_user)", params![]).await.map_err(|error| error.to_string())?;
        all.extend(rows.iter().map(|row| row.get().to_owned()));
    }
    Ok(all.join(" "))
}
