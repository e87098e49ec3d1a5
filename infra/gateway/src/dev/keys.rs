//! Keys of a developer's machine: made once, kept in the private directory.

use std::io::Write as _;
use std::path::Path;

use runtime::config::Config;
use runtime::host::StartError;
use runtime::keys::Keys;
use runtime::push;
use runtime::seals::SealKey;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Stored {
    signing: String,
    master: String,
    #[serde(default)]
    seal: Option<String>,
    #[serde(default)]
    push: Option<String>,
}

/// Fills in the keys that the environment does not give, and where the copies of the seals go.
///
/// # Errors
/// When the private directory cannot be read or written.
pub fn provide(config: &mut Config) -> Result<(), StartError> {
    if config.seals.is_none() {
        config.seals = Some(format!("file://{}", std::path::absolute(config.state.join("seals"))?.display()));
    }
    if config.signing_key.is_some() && config.master_key.is_some() {
        return Ok(());
    }
    let stored = stored(&config.state)?;
    config.signing_key.get_or_insert(stored.signing);
    config.master_key.get_or_insert(stored.master);
    // Absent from a directory of an earlier release: there it is derived from the master key.
    config.seal_key = config.seal_key.take().or(stored.seal);
    // And there no push is sent.
    config.push_key = config.push_key.take().or(stored.push);
    Ok(())
}

fn stored(state: &Path) -> Result<Stored, StartError> {
    let file = state.join("keys.json");
    if let Ok(text) = std::fs::read(&file) {
        return Ok(serde_json::from_slice(&text).map_err(|_| format!("{} is damaged", file.display()))?);
    }
    std::fs::create_dir_all(state)?;
    let (signing, master) = Keys::generate()?;
    let keys = Stored { signing, master, seal: Some(SealKey::generate()?), push: Some(push::generate_key()?) };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&file)?.write_all(&serde_json::to_vec_pretty(&keys)?)?;
    Ok(keys)
}
