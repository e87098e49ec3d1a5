//! Just enough of the PostgreSQL protocol to ask a server on a unix socket whether it is ready and to run one
//! statement. `pg_isready` and `psql` would do, but server packages often come without them.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("{message} (SQLSTATE {code})")]
    Server { code: String, message: String },
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub struct Session(UnixStream);

impl Session {
    pub fn open(socket: &Path, database: &str) -> Result<Self, WireError> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        let mut session = Self(stream);
        let mut startup = 196_608_u32.to_be_bytes().to_vec(); // protocol 3.0
        for field in ["user", super::CARNET, "database", database, ""] {
            startup.extend_from_slice(field.as_bytes());
            startup.push(0);
        }
        session.send(None, &startup)?;
        session.until_ready()?;
        Ok(session)
    }

    /// Runs `sql` and gives the first column of every row as text.
    pub fn query(&mut self, sql: &str) -> Result<Vec<String>, WireError> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.send(Some(b'Q'), &body)?;
        self.until_ready()
    }

    fn send(&mut self, kind: Option<u8>, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 4).map_err(io::Error::other)?;
        let mut message = Vec::with_capacity(body.len() + 5);
        message.extend(kind);
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(body);
        self.0.write_all(&message)
    }

    fn until_ready(&mut self) -> Result<Vec<String>, WireError> {
        let mut rows = Vec::new();
        let mut failure = None;
        loop {
            let (kind, body) = match self.receive() {
                Ok(message) => message,
                // A refused start-up is an error message and then the end of the stream.
                Err(error) => return Err(failure.unwrap_or(WireError::Io(error))),
            };
            match kind {
                b'Z' => return failure.map_or(Ok(rows), Err),
                b'E' => failure = Some(server_error(&body)),
                b'R' if body != [0; 4] => {
                    return Err(io::Error::other("it asks for a password, so it is not the private server").into());
                }
                b'D' => rows.extend(first_column(&body)),
                _ => {}
            }
        }
    }

    fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.0.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let length = u32::from_be_bytes(length).saturating_sub(4);
        let mut body = Vec::new();
        (&mut self.0).take(length.into()).read_to_end(&mut body)?;
        if body.len() == length as usize { Ok((kind, body)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

fn server_error(body: &[u8]) -> WireError {
    let field = |kind: u8| {
        let value = body.split(|&byte| byte == 0).find_map(|field| field.strip_prefix(&[kind]));
        value.map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    };
    WireError::Server { code: field(b'C'), message: field(b'M') }
}

fn first_column(body: &[u8]) -> Option<String> {
    let length = u32::from_be_bytes(body.get(2..6)?.try_into().ok()?);
    let value = body.get(6..6 + usize::try_from(length).ok()?)?;
    Some(String::from_utf8_lossy(value).into_owned())
}
