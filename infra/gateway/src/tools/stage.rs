//! Where a story is told when no gateway runs: the product on one runtime, on a private database, for as long as it takes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use runtime::clock::Clock;
use runtime::config::Config;
use runtime::host::StartError;
use runtime::keys::Keys;
use store::pg::Pg;
use tokio::net::TcpListener;

use super::client::Client;
use crate::dev::keys;
use crate::dev::mailbox::Mailbox;
use crate::dev::phones::Phones;
use crate::lambda::free_port;
use crate::lambda::front::Front;
use crate::registry::FUNCTIONS;
use crate::{fixtures, postgres, private_database, serve};

/// Longest wait for a gateway of its own: it makes a database and fills it.
const PATIENCE: Duration = Duration::from_mins(2);

/// The product, running; it ends with the handle.
pub(super) struct Stage {
    /// Where it answers.
    pub(super) base: String,
    gateway: Option<Killed>,
    front: Option<tokio::task::AbortHandle>,
    _database: Option<postgres::Postgres>,
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.gateway.take());
        if let Some(front) = &self.front {
            front.abort();
        }
    }
}

/// This program as the gateway, as a container runs it.
pub(super) async fn native(config: &Config) -> Result<Stage, StartError> {
    let port = free_port()?;
    let child = Command::new(std::env::current_exe()?)
        .envs([("CARNET_ENV", "development"), ("PORT", &port.to_string())])
        .env("CARNET_STATE", config.state.join("story"))
        .env_remove("EVENTS_PORT")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let base = format!("http://127.0.0.1:{port}");
    let stage = Stage { base, gateway: Some(Killed(child)), front: None, _database: None };
    let (client, began) = (Client::new(&stage.base), Instant::now());
    // Ready is when the demo data is there, too.
    while !client.send(Method::GET, "/v1/practitioners?place=Lyon&limit=1", None, None).await.is_ok_and(
        |(status, page)| status.is_success() && page["items"].as_array().is_some_and(|items| !items.is_empty()),
    ) {
        if began.elapsed() > PATIENCE {
            return Err("the gateway does not answer".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(stage)
}

/// Every function behind the emulator of AWS Lambda: HTTP API, batches of SQS, ticks of the scheduler.
pub(super) async fn lambda(config: &Config) -> Result<Stage, StartError> {
    let mut config = config.clone();
    config.state = config.state.join("story");
    let database = private_database(&mut config)?;
    keys::provide(&mut config)?;
    let clock = Arc::new(Clock::default());
    let mailbox = Mailbox::new(move || clock.now());
    let smtp = TcpListener::bind("127.0.0.1:0").await?;
    config.smtp_url = Some(format!("smtp://{}", smtp.local_addr()?));
    tokio::spawn(mailbox.clone().serve(smtp));
    config.sms_url = Some(Phones::new(mailbox.clone()).serve().await?);
    prepare(&config).await?;

    let (public, events) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    let base = format!("http://{}", public.local_addr()?);
    let variables = variables(&config, &events.local_addr()?.to_string())?;
    let program = std::env::current_exe()?;
    let manifests = FUNCTIONS.iter().map(runtime::Function::manifest).collect::<Result<Vec<_>, _>>()?;
    let front = Front::new(
        Path::new("."),
        manifests,
        mailbox,
        Box::new(move || {
            let mut command = Command::new(&program);
            command.envs(variables.iter().map(|(name, value)| (name, value)));
            command
        }),
    )
    .await?;
    let (router, queue) = (front.public()?, front.events());
    let task = tokio::spawn(async move {
        // Ends when the stage does.
        let public = async { axum::serve(public, router).await };
        let events = async { axum::serve(events, queue).await };
        let _ = tokio::join!(public, events, front.deliver());
    });
    Ok(Stage { base, gateway: None, front: Some(task.abort_handle()), _database: database })
}

/// Schema and demo data.
async fn prepare(config: &Config) -> Result<(), StartError> {
    let pg = Pg::lazy(config.database_url.as_deref().unwrap_or_default(), 2)?;
    pg.migrate().await?;
    let gateway = serve::gateway(config, Arc::new(pg.clone()), Arc::default(), None)?;
    gateway.ctx.bound.prove().await?;
    fixtures::load_with(&pg, &gateway.ctx).await?;
    pg.close().await;
    Ok(())
}

/// What the functions are told; each keeps what its manifest names.
fn variables(config: &Config, events: &str) -> Result<Vec<(&'static str, String)>, StartError> {
    let mut subscriptions = Vec::new();
    for function in FUNCTIONS {
        let manifest = function.manifest()?;
        subscriptions.extend(manifest.topics.iter().map(|topic| format!("{topic}={}", manifest.name)));
    }
    let verifying: Vec<String> = Keys::of(config)?.public().into_iter().map(|key| key.x).collect();
    let given = [
        // So that its clock can be moved: everything else is as in production.
        ("CARNET_ENV", Some("development".to_owned())),
        ("CARNET_STATE", Some(config.state.display().to_string())),
        ("DATABASE_URL", config.database_url.clone()),
        ("CARNET_SIGNING_KEY", config.signing_key.clone()),
        ("CARNET_VERIFYING_KEYS", Some(verifying.join(","))),
        ("CARNET_MASTER_KEY", config.master_key.clone()),
        ("CARNET_LOOKUP_KEY", config.lookup_key.clone().or_else(|| config.master_key.clone())),
        ("CARNET_SEAL_KEY", config.seal_key.clone()),
        ("CARNET_SEALS", config.seals.clone()),
        ("SMTP_URL", config.smtp_url.clone()),
        ("SMS_URL", config.sms_url.clone()),
        ("PUSH_KEY", config.push_key.clone()),
        ("SUBSCRIPTIONS", Some(subscriptions.join(","))),
        ("CONSUMER_URL", Some(format!("http://{events}"))),
    ];
    Ok(given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}
