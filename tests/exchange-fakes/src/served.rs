//! The fakes as programs of others reach them: over sockets, and calling out by sockets.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::graph::{Graph, Manner};
use crate::mailbox::Server;

/// How often who subscribed is told.
const TELLING: Duration = Duration::from_millis(100);
/// How long whoever is called may take: the service waits as long for an answer to its validation.
const PATIENCE: Duration = Duration::from_secs(10);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Graph over a server, which calls out, and tells who subscribed by itself. Inside a runtime of tokio only.
pub fn graph(server: Server) -> Router {
    let graph = Graph::new(server)
        .calling(Arc::new(|request| Box::pin(async { called(request).await.map_err(|error| error.to_string()) })));
    let teller = graph.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TELLING).await;
            teller.deliver(Manner::Once).await;
        }
    });
    graph.router()
}

/// One request over a connection of its own, in clear: to programs of tests on this machine.
async fn called(request: http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure> {
    let host = request.uri().authority().ok_or("no host")?.to_string();
    let mut stream = TcpStream::connect(&host).await?;
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let kind = request.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("text/plain");
    let length = request.body().len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(request.body()).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await??;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no head")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status: u16 = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status")?.parse()?;
    let mut response = http::Response::builder().status(status);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        response = response.header(name, value);
    }
    Ok(response.body(Bytes::copy_from_slice(&answer[end + 4..]))?)
}
