//! Every function, the queue loop and the cron loop in one process: the local gateway and the all-in-one container.

pub mod dev;
pub mod fixtures;
pub mod generate;
pub mod lambda;
pub mod loops;
pub mod pages;
pub mod postgres;
pub mod registry;
pub mod sealing;
pub mod serve;
pub mod spin;
pub mod tools;

use std::process::ExitCode;

use runtime::config::Config;
use runtime::faults::Faults;
use runtime::host::{self, StartError};

/// What a process of the gateway does. Without arguments: everything in one process, or with `FUNCTION=name` that function
/// alone, also on AWS Lambda. With arguments: a tool of a developer's machine (`seed`, `story`, `bench`, `import` …).
pub fn run(arguments: Vec<String>) -> ExitCode {
    ExitCode::from(code(arguments))
}

/// As [`run`]; the number that the process ends with.
pub fn code(arguments: Vec<String>) -> u8 {
    let alone = arguments.first().is_none_or(|verb| verb == "tick" || verb == "health");
    let function = std::env::var("FUNCTION").ok().filter(|name| !name.is_empty());
    if let (true, Some(name)) = (alone, function) {
        return match registry::find(&name) {
            Some(function) => host::main_code(function),
            None => {
                host::run(|_, faults| faults.add("FUNCTION: is no function of ours"), |_| std::future::ready(Ok(())))
            }
        };
    }
    match arguments.first() {
        Some(tool) => host::run(host::unchecked, |config| tools::run(tool.clone(), arguments[1..].to_vec(), config)),
        None => host::run(check, with_database),
    }
}

/// Before anything starts, a private PostgreSQL least of all.
fn check(config: &Config, faults: &mut Faults) {
    let mut config = config.clone();
    if config.is_development() {
        faults.note(dev::keys::provide(&mut config));
    }
    host::check_all(&config, faults);
}

/// Serves on the database that is given, or on a private one that ends with us.
async fn with_database(mut config: Config) -> Result<(), StartError> {
    let _private = private_database(&mut config)?.map(postgres::Postgres::tended);
    serve::serve(config).await
}

/// Starts a private PostgreSQL when no `DATABASE_URL` is given, and points the configuration at it.
///
/// # Errors
/// When no PostgreSQL is installed or it does not start.
pub fn private_database(config: &mut Config) -> Result<Option<postgres::Postgres>, StartError> {
    if config.database_url.is_some() {
        return Ok(None);
    }
    let directory = std::path::absolute(config.state.join("postgres"))?;
    let options = postgres::Options { directory, durable: true, max_connections: 100 };
    let server = postgres::Postgres::start(&options)?;
    config.database_url = Some(server.url("carnet"));
    Ok(Some(server))
}
