//! The files of an image: what the program needs and nothing else. No shell, no package manager, nobody but one user.

use std::path::{Path, PathBuf};

use base64::Engine as _;

use crate::{Error, elf};

/// The user that everything runs as, as in distroless images.
pub const USER: u32 = 65532;
/// Where root certificates are, for programs that ask.
pub const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A file or directory of an image, owned by root and writable by nobody, with few exceptions.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Without the leading `/`.
    pub path: PathBuf,
    /// Permissions.
    pub mode: u32,
    /// What a file holds; none for a directory.
    pub content: Option<Vec<u8>>,
}

impl Entry {
    /// A file.
    pub fn file(path: impl AsRef<Path>, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        Self { path: relative(path.as_ref()), mode, content: Some(content.into()) }
    }

    fn directory(path: &str, mode: u32) -> Self {
        Self { path: relative(Path::new(path)), mode, content: None }
    }
}

fn relative(path: &Path) -> PathBuf {
    path.strip_prefix("/").unwrap_or(path).to_owned()
}

/// What every program stands on: its loader and libraries, root certificates, one user, and where names are looked up.
///
/// # Errors
/// When a library is not on this machine.
pub fn base(program: &[u8]) -> Result<Vec<Entry>, Error> {
    let user = format!("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/:/sbin/nologin\n");
    let mut entries = vec![
        Entry::file("/etc/passwd", 0o444, user),
        Entry::file("/etc/group", 0o444, format!("root:x:0:\nnonroot:x:{USER}:\n")),
        Entry::file("/etc/nsswitch.conf", 0o444, "hosts: files dns\n"),
        Entry::file(CERTIFICATES, 0o444, certificates()),
        // Nothing of ours writes there; libraries may, where the platform mounts something on it.
        Entry::directory("/tmp", 0o1777),
    ];
    entries.extend(elf::libraries(program)?.into_iter().map(|(path, bytes)| Entry::file(path, 0o555, bytes)));
    Ok(entries)
}

/// Mozilla's root certificates in PEM: those of the library, the same on every machine that builds.
fn certificates() -> String {
    let mut pem = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        let text = base64::engine::general_purpose::STANDARD.encode(certificate);
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}
