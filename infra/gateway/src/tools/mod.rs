//! The tools of a developer's machine, as subcommands of the gateway.

pub mod asyncapi;
pub mod audit;
mod bench;
pub mod client;
mod dead_letters;
mod import;
pub mod rotate_keys;
mod seed;
mod stage;
pub mod story;

use runtime::config::Config;
use runtime::host::StartError;
use runtime::keys::Keys;

/// Runs one tool.
///
/// # Errors
/// What stopped it, in words for a terminal.
pub async fn run(tool: String, arguments: Vec<String>, config: Config) -> Result<(), StartError> {
    match tool.as_str() {
        "asyncapi" => print_asyncapi(&arguments),
        "audit-key" => audit::print_key(config),
        "audit-verify" => audit::run(&arguments, config).await,
        "bench" => bench::run(&arguments, config).await,
        "seed" => seed::run(&arguments, config).await,
        "story" => story::run(&arguments, &config).await,
        "import" => import::run(&arguments, config).await,
        "rotate-keys" => rotate_keys::run(config).await,
        "matrix" => matrix(),
        "migrate" => migrate(config).await,
        "secrets" => print_secrets(),
        "health" => runtime::host::health(&config).await,
        "sms-callbacks" => print_callbacks(&config),
        "spin-manifest" => spin_manifest(),
        "dead-letters" => dead_letters::run(&arguments, config).await,
        "database-url" => database_url(config),
        other => Err(format!("there is no tool {other:?}: ./just lists them").into()),
    }
}

/// Prints who may do what.
#[expect(clippy::print_stdout, reason = "its one purpose")]
#[expect(clippy::unnecessary_wraps, reason = "as the other tools")]
fn matrix() -> Result<(), StartError> {
    print!("{}", domain::access::matrix());
    Ok(())
}

/// Prints which address a provider of text messages is to call.
#[expect(clippy::print_stdout, reason = "its one purpose")]
fn print_callbacks(config: &Config) -> Result<(), StartError> {
    let site = config.public_url.as_deref().ok_or("PUBLIC_URL: is missing")?;
    let keys = Keys::those(config, &|name| name == "CARNET_LOOKUP_KEY")?;
    for provider in runtime::sms::Provider::ALL {
        println!("{}: {}", provider.name(), runtime::sms::callback(site, provider, &keys)?);
    }
    Ok(())
}

/// Prints `events/asyncapi.yaml`, or with the word `webhooks` `events/webhooks.asyncapi.yaml`.
#[expect(clippy::print_stdout, reason = "its one purpose")]
fn print_asyncapi(arguments: &[String]) -> Result<(), StartError> {
    let folder = std::path::Path::new("events");
    match arguments {
        [] => print!("{}", asyncapi::text(folder)?),
        [word] if word == "webhooks" => print!("{}", asyncapi::partners::text(folder)?),
        _ => return Err("asyncapi takes no word but webhooks".into()),
    }
    Ok(())
}

/// Prints `spin.toml`.
#[expect(clippy::print_stdout, reason = "its one purpose")]
fn spin_manifest() -> Result<(), StartError> {
    print!("{}", crate::spin::kept(crate::registry::FUNCTIONS)?);
    Ok(())
}

/// Prints where the gateway's database is.
#[expect(clippy::print_stdout, reason = "its one purpose")]
fn database_url(mut config: Config) -> Result<(), StartError> {
    let private = crate::private_database(&mut config)?;
    println!("{}", config.database_url.unwrap_or_default());
    drop(private);
    Ok(())
}

/// Brings the schema up to date, for deployments where no process serves everything.
async fn migrate(config: Config) -> Result<(), StartError> {
    let url = config.database_url.as_deref().ok_or("DATABASE_URL: is missing")?;
    let pg = store::pg::Pg::lazy(url, 1)?;
    pg.migrate().await?;
    pg.close().await;
    Ok(())
}

/// New secrets of a whole product, as files of variables hold them: whatever a function does not start without, but for the
/// address of the database, and the key of web push, which is to stay.
///
/// # Errors
/// When the system gives no randomness.
pub fn secrets() -> Result<String, StartError> {
    let (signing, master) = Keys::generate()?;
    let config = Config::read(|name| match name {
        "CARNET_SIGNING_KEY" => Some(signing.clone()),
        "CARNET_MASTER_KEY" => Some(master.clone()),
        _ => None,
    })?;
    let verifying: Vec<String> = Keys::of(&config)?.public().into_iter().map(|key| key.x).collect();
    let (_, lookup) = Keys::generate()?;
    let seal = runtime::seals::SealKey::generate()?;
    // Hexadecimal, for the one stands in a URL and the other in a header.
    let random = || {
        let mut bytes = [0_u8; 16];
        let filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
        filled.map(|()| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    };
    let [password, events] = [random(), random()].map(|it| it.map_err(|_| "the system gives no randomness"));
    let lines = [
        ("POSTGRES_PASSWORD", password?),
        ("CARNET_SIGNING_KEY", signing),
        ("CARNET_VERIFYING_KEYS", verifying.join(",")),
        ("CARNET_MASTER_KEY", master),
        ("CARNET_LOOKUP_KEY", lookup),
        ("CARNET_SEAL_KEY", seal),
        ("EVENTS_SECRET", events?),
        ("PUSH_KEY", runtime::push::generate_key()?),
    ];
    Ok(lines.map(|(name, value)| format!("{name}={value}\n")).concat())
}

/// Prints them.
#[expect(clippy::print_stdout, reason = "its one purpose")]
fn print_secrets() -> Result<(), StartError> {
    print!("{}", secrets()?);
    Ok(())
}

/// The value of `name=value` among the arguments.
///
/// # Errors
/// When it is there and does not parse.
fn argument<T: std::str::FromStr>(arguments: &[String], name: &str) -> Result<Option<T>, StartError> {
    arguments
        .iter()
        .find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='))
        .map(|value| value.parse().map_err(|_| StartError::from(format!("{name}={value:?} is not understood"))))
        .transpose()
}

/// Connections for bulk work, where a statement of several seconds is nothing to report.
async fn pool(config: &Config) -> Result<sqlx::PgPool, StartError> {
    use sqlx::ConnectOptions as _;
    let options: sqlx::postgres::PgConnectOptions = config.database_url.as_deref().unwrap_or_default().parse()?;
    Ok(sqlx::PgPool::connect_with(options.disable_statement_logging()).await?)
}

/// The triggers of every function, over the gateway's database, in this process.
async fn events(mut config: Config) -> Result<(Option<crate::postgres::Postgres>, axum::Router), StartError> {
    let private = crate::private_database(&mut config)?;
    crate::dev::keys::provide(&mut config)?;
    let pg = store::pg::Pg::lazy(config.database_url.as_deref().unwrap_or_default(), config.database_pool)?;
    pg.migrate().await?;
    let gateway = crate::serve::gateway(&config, std::sync::Arc::new(pg), std::sync::Arc::default(), None)?;
    Ok((private, gateway.app.events))
}
