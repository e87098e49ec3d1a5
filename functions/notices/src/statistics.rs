//! How many notices went out, arrived and were looked at, and what they cost.

use axum::Json;
use axum::extract::State;
use domain::notice::{NoticeChannel, NoticeKind};
use runtime::page::Page;
use runtime::period::{When, period};
use runtime::{Actor, Ctx, Params, Problem};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::{IntoParams, ToSchema};

const STATISTICS: Statement<Line> = statement!("statistics");
/// Days without an instant are those of metropolitan France.
const DEFAULT_ZONE: &str = "Europe/Paris";

/// Notices of one kind by one channel in one month.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Line {
    /// `2026-03`, in metropolitan France.
    month: String,
    kind: NoticeKind,
    channel: NoticeChannel,
    planned: i64,
    sent: i64,
    delivered: i64,
    read: i64,
    skipped: i64,
    failed: i64,
    /// Parts of text messages.
    segments: i64,
    /// In millionths of a euro.
    cost_microeur: i64,
}

/// Of which days.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Planned from this local day (metropolitan France) or instant on.
    #[param(schema_with = runtime::openapi::day_or_instant, required = false)]
    from: Option<When>,
    /// Planned before the end of this local day, or before this instant.
    #[param(schema_with = runtime::openapi::day_or_instant, required = false)]
    to: Option<When>,
}

/// Counts the notices of the agendas that the caller works for; for an administrator, of the establishment. Each notice counts once,
/// as it stands now.
#[utoipa::path(get, path = "/v1/notice-statistics", operation_id = "read_notice_statistics", tag = "notices", params(Filter),
    responses((status = 200, body = Page<Line>)))]
pub(crate) async fn read(
    State(ctx): State<Ctx>, actor: Actor, Params(filter): Params<Filter>,
) -> Result<Json<Page<Line>>, Problem> {
    let zone = DEFAULT_ZONE.parse().map_err(Problem::internal)?;
    let (from, until) = period(filter.from, filter.to, &zone)?;
    let items = ctx.db.many(&STATISTICS, params![actor.who(ctx.now()), from, until]).await?;
    Ok(Json(Page { items, next_cursor: None }))
}
