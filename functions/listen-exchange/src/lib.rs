//! Hear from mail servers of a house's own that calendars changed.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json, Router};
use domain::SignedDuration;
use domain::ids::MailboxId;
use futures_util::future::{Either, pending, select};
use futures_util::pin_mut;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use runtime::host::native::Stop;
use runtime::mailboxes::listening::{Listener, MOST_AT_ONCE, Member, none_begun};
use runtime::{Ctx, Function, Problem, pace};
use serde::{Deserialize, Serialize};
use store::{DbError, Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function = Function {
    name: "listen-exchange",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(listen))),
};

const ANY: Statement<Listened> = statement!("any");
const TAKE: Statement<Member> = statement!("take");
const BEGUN: Statement<Listened> = statement!("begun");
const WAKE: Statement<Listened> = statement!("wake");
const ENDED: Statement<Listened> = statement!("ended");
const LEFT: Statement<Listened> = statement!("left");

/// No connection is begun later in a run: then the next one is there for it.
const TAKING: Duration = Duration::from_secs(58);
/// How often it is looked whether somebody is not listened to: so long, and no longer, is a calendar unheard between two connections.
const LOOK: Duration = Duration::from_secs(1);
/// How often what was heard is told: of one change Exchange tells several times.
const GRAIN: Duration = Duration::from_millis(250);
/// Most connections in a process.
const CONNECTIONS: usize = 16;
/// Most connections to one server: what Exchange 2013 lets an account hold open, and 2016 lets it ten.
const OF_A_SERVER: i64 = 3;
/// How long a mailbox is ours: longer than a connection takes with all that comes before it, 45 s to subscribe and 20 s for what is under way
/// then, and 75 s to listen.
const LEASE: SignedDuration = SignedDuration::from_secs(180);
/// A mailbox that could not be listened to is left alone so long, in seconds, and twice as long each time…
const FIRST_REST: i64 = 5;
/// … up to so long.
const LONGEST_REST: i64 = 900;

/// What was done.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Listened {
    connections: usize,
    mailboxes: usize,
    woken: usize,
}

/// Listens until nothing is left of its minutes, or the process is told to stop.
async fn listen(State(ctx): State<Ctx>, stop: Option<Extension<Stop>>) -> Result<Json<Listened>, Problem> {
    let mut run = Listened::default();
    if !ctx.config.calendars.listening || ctx.db.one(&ANY, params![]).await?.mailboxes == 0 {
        return Ok(Json(run));
    }
    let told = async {
        match stop {
            Some(Extension(stop)) => stop.told().await,
            None => pending().await,
        }
    };
    pin_mut!(told);
    let (began, mut held, mut under_way) = (Instant::now(), Vec::new(), FuturesUnordered::new());
    let mut looked: Option<Instant> = None;
    loop {
        let taking = began.elapsed() < TAKING;
        if !taking && under_way.is_empty() {
            return Ok(Json(run));
        }
        // A server that closes at once is not asked at once again.
        if taking && under_way.len() < CONNECTIONS && looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            let connection = Uuid::now_v7();
            let members = take(&ctx, connection).await?;
            if !members.is_empty() {
                run.connections += 1;
                run.mailboxes += members.len();
                held.push(connection);
                under_way.push(hold(&ctx, connection, members));
                continue;
            }
            looked = Some(Instant::now());
        }
        match next(&mut under_way, &mut told).await {
            Next::Stop => {
                drop(under_way);
                ctx.db.one(&LEFT, params![serde_json::json!(held)]).await?;
                return Ok(Json(run));
            }
            Next::Ended(ended) => run.woken += ended?,
            Next::Look => {}
        }
    }
}

/// What comes next.
enum Next {
    Stop,
    Ended(Result<usize, DbError>),
    Look,
}

async fn next<F: Future<Output = Result<usize, DbError>>>(
    under_way: &mut FuturesUnordered<F>, told: &mut (impl Future<Output = ()> + Unpin),
) -> Next {
    let ended = async {
        match under_way.next().await {
            Some(ended) => ended,
            None => pending().await,
        }
    };
    let look = pace::sleep(LOOK);
    pin_mut!(ended, look);
    match select(told, select(ended, look)).await {
        Either::Left(_) => Next::Stop,
        Either::Right((Either::Left((ended, _)), _)) => Next::Ended(ended),
        Either::Right((Either::Right(_), _)) => Next::Look,
    }
}

/// Mailboxes of one server that nobody listens to.
async fn take(ctx: &Ctx, connection: Uuid) -> Result<Vec<Member>, DbError> {
    let now = ctx.now();
    let most = i64::try_from(MOST_AT_ONCE).unwrap_or(i64::MAX);
    ctx.db.many(&TAKE, params![connection, now, now + LEASE, most, OF_A_SERVER]).await
}

/// Listens over one connection; how many mailboxes were made due. What was heard last is told before the connection is given back.
async fn hold(ctx: &Ctx, connection: Uuid, members: Vec<Member>) -> Result<usize, DbError> {
    let (mut woken, heard) = (0, Mutex::default());
    let ended = match Listener::begin(ctx, &members).await {
        Err(fault) => none_begun(&members, &fault),
        Ok(listener) => {
            let now = ctx.now();
            let subscribed = serde_json::json!(listener.subscribed());
            woken += ctx.db.one(&BEGUN, params![connection, now, subscribed, now + LEASE]).await?.woken;
            let listening = listener.listen(ctx, |mailbox| {
                of(&heard).insert(mailbox);
            });
            let telling = async {
                loop {
                    pace::sleep(GRAIN).await;
                    woken += match tell(ctx, &heard).await {
                        Ok(told) => told,
                        Err(error) => return error,
                    };
                }
            };
            pin_mut!(listening, telling);
            match select(listening, telling).await {
                Either::Left((ended, _)) => ended,
                // Nobody knows then what was told: the lease ends, and all is read anew.
                Either::Right((error, _)) => return Err(error),
            }
        }
    };
    woken += tell(ctx, &heard).await?;
    ctx.db
        .one(&ENDED, params![connection, ctx.now(), serde_json::json!(ended), FIRST_REST, LONGEST_REST])
        .await
        .map(|_| woken)
}

/// Makes due what was heard of.
async fn tell(ctx: &Ctx, heard: &Mutex<BTreeSet<MailboxId>>) -> Result<usize, DbError> {
    let changed = std::mem::take(&mut *of(heard));
    if changed.is_empty() {
        return Ok(0);
    }
    ctx.db.one(&WAKE, params![ctx.now(), serde_json::json!(changed)]).await.map(|told| told.woken)
}

fn of(heard: &Mutex<BTreeSet<MailboxId>>) -> std::sync::MutexGuard<'_, BTreeSet<MailboxId>> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
