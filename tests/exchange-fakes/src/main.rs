//! Serves a fake to programs of others: `exchange-fakes graph|ews --port 0 [--now TIME] [--pause MILLISECONDS] [--mailbox ADDRESS]…`. It says
//! where it is in one line, and ends when its input does.

use std::io::Read as _;
use std::time::Duration;

use domain::Timestamp;
use exchange_fakes::control::controlled;
use exchange_fakes::ews::{Settings, router};
use exchange_fakes::mailbox::Server;
use exchange_fakes::served;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Arguments {
    kind: String,
    port: u16,
    now: Timestamp,
    mailboxes: Vec<String>,
    pause: Duration,
}

fn arguments() -> Result<Arguments, Failure> {
    let mut words = std::env::args().skip(1);
    let kind = words.next().ok_or("graph or ews?")?;
    let now = "2026-11-30T08:00:00Z".parse()?;
    let mut all = Arguments { kind, port: 0, now, mailboxes: Vec::new(), pause: Duration::ZERO };
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} what?"))?;
        match word.as_str() {
            "--port" => all.port = value.parse()?,
            "--now" => all.now = value.parse()?,
            "--pause" => all.pause = Duration::from_millis(value.parse()?),
            "--mailbox" => all.mailboxes.push(value),
            _ => return Err(format!("{word}?").into()),
        }
    }
    if all.mailboxes.is_empty() {
        all.mailboxes.push("dr.martin@clinique.example".into());
    }
    Ok(all)
}

/// Exchange Server as its settings have it, which says each second that it is there.
fn ews(server: Server) -> axum::Router {
    let settings = Settings { heartbeat: Duration::from_secs(1), ..Settings::default() };
    server.add_mailbox(&settings.user);
    router(server, settings)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = arguments()?;
    let server = Server::new(arguments.now);
    for mailbox in &arguments.mailboxes {
        server.add_mailbox(mailbox);
    }
    let router = match arguments.kind.as_str() {
        "graph" => served::graph(server.clone()),
        "ews" => ews(server.clone()),
        other => return Err(format!("no fake is called {other}").into()),
    };
    let router = controlled(router, server, arguments.pause);
    let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await?;
    let mut out = tokio::io::stdout();
    out.write_all(format!("http://{}\n", listener.local_addr()?).as_bytes()).await?;
    out.flush().await?;
    let left = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        ended = async { axum::serve(listener, router).await } => ended?,
        _ = left => {}
    }
    // The thread that waits for the input would be waited for.
    std::process::exit(0)
}
