//! What it costs to know who asks, to ask the policy and to leave a trace: reading an appointment, beside the same reading
//! without any of that. Both are served by this process, in short rounds of each in turn.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Json, Router};
use runtime::clock::Clock;
use runtime::deliver::InProcess;
use runtime::host::{StartError, assemble, context_over};
use runtime::view::{Appointment, AppointmentRow};
use runtime::{Ctx, Kind, Lang, Problem};
use serde_json::Value;
use store::pg::Pg;
use store::{Query as _, Statement, params};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::Bench;
use super::booking::tokens_of;
use super::load::{self, percentile};
use super::report::Report;
use super::server::Server;
use super::wishes::World;

const READINGS: usize = 1_200;
const ROUNDS: usize = 7;
const CONNECTIONS: [usize; 2] = [1, 8];
const BARE: Statement<AppointmentRow> =
    Statement::new("bare", "select appointment_document(a) from appointment a where a.id = $1::uuid");

async fn bare(State(ctx): State<Ctx>, Path(id): Path<Uuid>) -> Result<Json<Appointment>, Problem> {
    let row = ctx.db.optional(&BARE, params![id]).await?.ok_or_else(|| Problem::new(Kind::NotFound))?;
    Ok(Json(row.view(Lang::Fr)))
}

/// Books something to read, then reads it both ways.
pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), StartError> {
    let clock = Clock::default();
    let mut world = World::new(bench, clock.now()).await?;
    let search = Server::ready("search", &bench.config)?;
    let book = Server::ready("book", &bench.config)?;
    let wishes = world.wishes(READINGS, search.port, clock.now()).await?;
    let tokens = tokens_of(bench, &wishes)?;
    let (mut guarded, mut open) = (Vec::new(), Vec::new());
    for wish in &wishes {
        let token = &tokens[&wish.account];
        let booked = load::run(book.port, vec![wish.http(token)], 1).await?;
        let body: Value =
            booked.answers.first().map(|answer| serde_json::from_slice(&answer.body)).transpose()?.unwrap_or_default();
        let id = body["id"].as_str().ok_or("a booking failed")?;
        let head =
            |path: &str| format!("GET {path}{id} HTTP/1.1\r\nhost: carnet\r\nauthorization: Bearer {token}\r\n\r\n");
        guarded.push(head("/v1/appointments/").into_bytes());
        open.push(head("/bare/").into_bytes());
    }

    let url = bench.config.database_url.as_deref().unwrap_or_default();
    let pg = Pg::with_role(url, bench.config.database_pool, bench.config.database_role.as_deref())?;
    let ctx = context_over(&bench.config, Arc::new(pg), Arc::default(), Arc::new(InProcess::default()), Vec::new())?;
    let guarded_port = serve(assemble(&[fn_appointments::FUNCTION], &ctx)?.public).await?;
    let bare = Router::new().route("/bare/{id}", axum::routing::get(bare)).with_state(ctx.clone());
    let open_port = serve(runtime::edge::wrap(bare, ctx, Arc::default())).await?;
    for connections in CONNECTIONS {
        let mut ratios = Vec::new();
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let mut asked = p50(guarded_port, &guarded, connections).await?;
            let mut bare = p50(open_port, &open, connections).await?;
            // The first is for connections and caches.
            if round > 0 {
                ratios.push(percentile(&mut asked, 0.5) / percentile(&mut bare, 0.5));
                with.extend(asked);
                without.extend(bare);
            }
        }
        ratios.sort_unstable_by(f64::total_cmp);
        let name = format!("reading an appointment, {connections} at once");
        report.figure(format!("{name}: p50"), percentile(&mut with, 0.5), "ms");
        report.figure(format!("{name}, unguarded and untraced: p50"), percentile(&mut without, 0.5), "ms");
        report.under(format!("{name}: ratio, median of {ROUNDS} pairs"), ratios[ROUNDS / 2], "", 1.3);
    }
    Ok(())
}

async fn p50(port: u16, requests: &[Vec<u8>], connections: usize) -> Result<Vec<std::time::Duration>, StartError> {
    let round = load::run(port, requests.to_vec(), connections).await?;
    match round.refusal(200) {
        Some(refusal) => Err(format!("a reading was answered {refusal}").into()),
        None => Ok(round.answers.iter().map(|answer| answer.took).collect()),
    }
}

async fn serve(router: Router) -> Result<u16, StartError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(port)
}
