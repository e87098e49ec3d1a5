//! From a configuration to a gateway that serves.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use runtime::clock::Clock;
use runtime::config::Config;
use runtime::deliver::InProcess;
use runtime::host::{App, StartError, assemble, context_over, native};
use runtime::{Ctx, edge};
use store::pg::Pg;
use store::{Db, DbError};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::dev::mailbox::Mailbox;
use crate::dev::phones::Phones;
use crate::dev::{self, Dev};
use crate::registry::FUNCTIONS;
use crate::{fixtures, loops, pages};

/// Pause between two tries to bring the schema up to date while the database is away.
const MIGRATION_PAUSE: Duration = Duration::from_secs(2);

/// A gateway, put together and not yet listening.
pub struct Gateway {
    /// The context of every function.
    pub ctx: Ctx,
    /// The public router, whole.
    pub public: Router,
    /// The merged functions.
    pub app: App,
}

/// Puts the gateway together over a database. With a mailbox it is a developer's, and has `/dev/*`.
///
/// # Errors
/// When a variable is missing or a manifest is broken.
pub fn gateway(
    config: &Config, db: Arc<dyn Db>, clock: Arc<Clock>, mailbox: Option<Arc<Mailbox>>,
) -> Result<Gateway, StartError> {
    let deliver = Arc::new(InProcess::default());
    let ctx = context_over(config, db, clock, deliver.clone(), App::subscriptions(FUNCTIONS)?)?;
    let app = assemble(FUNCTIONS, &ctx)?;
    deliver.connect(app.events.clone());
    let mut extra = pages::router(&app.manifests, config.is_development());
    if let Some(mailbox) = mailbox.filter(|_| config.is_development()) {
        let dev =
            Dev { ctx: ctx.clone(), mailbox, events: app.events.clone(), manifests: app.manifests.clone().into() };
        extra = extra.merge(dev::router(dev));
    }
    let public = app.public.clone().merge(edge::wrap(extra, ctx.clone(), Arc::default()));
    Ok(Gateway { ctx, public, app })
}

/// Serves everything until told to stop: HTTP at once, the loops as soon as the schema is there.
///
/// # Errors
/// When a port cannot be had or a variable is wrong.
pub async fn serve(mut config: Config) -> Result<(), StartError> {
    let clock = Arc::new(Clock::default());
    if let Some(instant) = config.clock {
        clock.set(instant);
    }
    let mut mailbox = None;
    if config.is_development() {
        dev::keys::provide(&mut config)?;
        dev::objects::provide(&mut config).await?;
        let stamps = clock.clone();
        let received = Mailbox::new(move || stamps.now());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        config.smtp_url.get_or_insert(format!("smtp://{}", listener.local_addr()?));
        tokio::spawn(received.clone().serve(listener));
        config.sms_url.get_or_insert(Phones::new(received.clone()).serve().await?);
        mailbox = Some(received);
    }
    let url = config.database_url.as_deref().ok_or("DATABASE_URL: is missing")?;
    let pg = Pg::with_role(url, config.database_pool, config.database_role.as_deref())?;
    let owner = Pg::lazy(url, 1)?;
    let listener = native::listen(&config.bind, config.port, "PORT").await?;
    config.port = listener.local_addr()?.port();
    let gateway = gateway(&config, Arc::new(pg.clone()), clock, mailbox)?;
    let public = native::public(&config, listener, gateway.public)?;
    let stop = native::stop_signal();
    let app = App { events: native::with_stop(gateway.app.events.clone(), &stop), ..gateway.app.clone() };
    let events = native::events(&config, app.events.clone()).await?;
    let timetable = loops::timetable(&gateway.app.manifests)?;
    let migrated = Arc::new(Notify::new());
    let background = tokio::spawn(background(
        config.clone(),
        owner,
        migrated.clone(),
        gateway.ctx.clone(),
        app,
        timetable,
        stop.clone(),
    ));
    // Before the schema is there, nothing says which key the database is kept under.
    let refused = async {
        migrated.notified().await;
        gateway.ctx.bound.refused().await
    };
    tokio::select! {
        () = native::serve_on(public, events, stop) => {}
        refused = refused => return Err(refused.into()),
    }
    // A run that carries a slow mail is cut: its lease gives the mail to the next start. One of webhooks has all of its answers by then.
    if tokio::time::timeout(native::DRAIN, background).await.is_err() {
        tracing::warn!("events were still under way at the end of the drain");
    }
    pg.close().await;
    Ok(())
}

/// Schema, demo data, then the loops; a database that is away is waited for while HTTP says 503.
async fn background(
    config: Config, owner: Pg, migrated: Arc<Notify>, ctx: Ctx, app: App, timetable: Vec<loops::Ticking>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        match prepare(&config, &owner, &migrated, &ctx).await {
            Ok(()) => break,
            Err(error) => tracing::error!(%error, "the database is not ready"),
        }
        tokio::select! {
            () = tokio::time::sleep(MIGRATION_PAUSE) => {}
            _ = stop.changed() => return,
        }
    }
    owner.close().await;
    announce(&config);
    let queue = loops::queue(app.events.clone(), ctx.clone(), stop.clone());
    let webhooks = loops::webhooks(app.events.clone(), ctx.clone(), stop.clone());
    let listening = loops::listening(app.events.clone(), stop.clone());
    let cron = loops::cron(app.events, ctx, timetable, stop);
    futures_util::future::join4(queue, webhooks, listening, cron).await;
}

async fn prepare(config: &Config, pg: &Pg, migrated: &Notify, ctx: &Ctx) -> Result<(), DbError> {
    pg.migrate().await?;
    migrated.notify_one();
    // What is sealed now can be looked up from then on, and by no other key.
    ctx.bound.prove().await?;
    crate::sealing::seal_clear(pg.pool(), &ctx.keys).await.map_err(|error| DbError::Unavailable(error.to_string()))?;
    if config.is_development() {
        fixtures::load_with(pg, ctx).await.map_err(|error| DbError::Unavailable(error.to_string()))?;
    }
    Ok(())
}

/// Tells a developer where things are.
fn announce(config: &Config) {
    if !config.is_development() {
        return;
    }
    let scheme = if config.edges.tls_key.is_some() { "https" } else { "http" };
    let base = format!("{scheme}://{}:{}", config.bind, config.port);
    let demo = fixtures::demo_accounts().unwrap_or_default();
    let accounts: String = demo
        .iter()
        .map(|it| format!("  {}  {}  {}\n", it.email, it.password, it.role.as_deref().unwrap_or_default()))
        .collect();
    // The one thing people read on their terminal; everything else goes to the log.
    eprint!(
        "\nCarnet runs on {base}\n  {base}/             what runs here\n  {base}/docs/        try the API\n  \
         {base}/openapi.json the API's description\n  {base}/dev/mail     mails and SMS that were sent\n\nDemo sign-ins (POST /v1/sessions):\n{accounts}\n"
    );
}
