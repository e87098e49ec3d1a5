//! `spin-host up --from FILE --listen ADDRESS`: as `spin up` is called, variables from `SPIN_VARIABLE_NAME` as there. For
//! the measures, where no Spin is.

use std::path::PathBuf;
use std::process::ExitCode;

use spin_host::Host;
use spin_host::manifest::Manifest;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    match serve(std::env::args().skip(1).collect()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spin-host: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Vec<String>) -> Result<(), String> {
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)).ok_or(format!("{name} is missing"))
    };
    if arguments.first().map(String::as_str) != Some("up") {
        return Err("usage: spin-host up --from FILE --listen ADDRESS".into());
    }
    let file = PathBuf::from(after("--from")?);
    let listener = TcpListener::bind(after("--listen")?).await.map_err(|error| error.to_string())?;
    let given = |name: &str| std::env::var(format!("SPIN_VARIABLE_{}", name.to_uppercase())).ok();
    let manifest = Manifest::read(&file, &given)?;
    // Beside the manifest, where Spin has its own.
    let cache = std::path::absolute(file.with_file_name(".spin-host-compiled")).map_err(|error| error.to_string())?;
    let host = tokio::task::spawn_blocking(move || Host::new(manifest, &cache)).await;
    let host = host.map_err(|error| error.to_string())?.map_err(|error| format!("{error:#}"))?;
    host.serve(listener).await;
    Ok(())
}
