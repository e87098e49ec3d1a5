//! The way to the server by TCP, for who has no sockets of the system's own: a guest of Spin. For tests and measures only;
//! whoever is on this machine may come that way.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use tokio::net::{TcpListener, UnixStream};

/// Carries bytes from a port of this machine to the socket, for as long as the runtime lives; `host:port` of it.
pub(super) async fn open(socket: PathBuf) -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let host = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let socket = socket.clone();
            tokio::spawn(async move {
                // Or small answers wait for an acknowledgement, some 40 ms.
                from.set_nodelay(true)?;
                let mut to = UnixStream::connect(socket).await?;
                tokio::io::copy_bidirectional(&mut from, &mut to).await
            });
        }
    });
    Ok(host)
}
