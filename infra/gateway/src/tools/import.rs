//! `just import FILE`: the national directory's open file, into the gateway's database.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use runtime::config::Config;
use runtime::host::StartError;
use tokio::io::{AsyncReadExt as _, BufReader};
use tower::ServiceExt as _;

use super::events;

/// How much of the file is read at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// Streams the file to the function's trigger and prints its report.
#[expect(clippy::print_stdout, reason = "the report is what was asked for")]
pub(super) async fn run(arguments: &[String], config: Config) -> Result<(), StartError> {
    let path = arguments.first().ok_or("which file? just import FILE")?;
    let file = tokio::fs::File::open(path).await.map_err(|error| format!("{path}: {error}"))?;
    let chunks = futures_util::stream::try_unfold(BufReader::with_capacity(CHUNK, file), |mut file| async move {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then_some((chunk, file)))
    });
    let (_private, events) = events(config).await?;
    let request = Request::post("/_events/import-directory")
        .header("content-type", "text/plain")
        .body(Body::from_stream(chunks))?;
    let response = events.oneshot(request).await?;
    let status = response.status();
    let report = response.into_body().collect().await?.to_bytes();
    println!("{}", String::from_utf8_lossy(&report));
    if status.is_success() { Ok(()) } else { Err(format!("the import answered {status}").into()) }
}
