//! Layers of an image: tar archives that are the same bytes whoever makes them, when, and where.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use crate::rootfs::Entry;
use crate::{Error, sha256};

/// A layer: its archive as it is stored, and the digest of what it unpacks to.
#[derive(Debug)]
pub struct Layer {
    /// gzip of the tar archive.
    pub stored: Vec<u8>,
    /// SHA-256 of the tar archive.
    pub unpacked: String,
}

impl Layer {
    /// Of these entries, directories above them included. `compression` is that of gzip, 0 to 9.
    ///
    /// # Errors
    /// When a path is too strange for an archive.
    pub fn new(entries: &[Entry], compression: u32) -> Result<Self, Error> {
        let tar = archive(entries)?;
        let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(compression));
        gzip.write_all(&tar)?;
        Ok(Self { stored: gzip.finish()?, unpacked: sha256(&tar) })
    }
}

/// A tar archive in the order of paths, everything of root and of the beginning of time.
fn archive(entries: &[Entry]) -> Result<Vec<u8>, Error> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    let mut directories: BTreeSet<PathBuf> =
        sorted.iter().filter(|entry| entry.content.is_none()).map(|entry| entry.path.clone()).collect();
    let mut builder = Builder::new(Vec::new());
    for entry in sorted {
        let above: Vec<&Path> = entry.path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
        for directory in above.into_iter().rev() {
            if directories.insert(directory.to_owned()) {
                append(&mut builder, directory, 0o555, None)?;
            }
        }
        append(&mut builder, &entry.path, entry.mode, entry.content.as_deref())?;
    }
    Ok(builder.into_inner()?)
}

fn append(builder: &mut Builder<Vec<u8>>, path: &Path, mode: u32, content: Option<&[u8]>) -> Result<(), Error> {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(if content.is_some() { EntryType::Regular } else { EntryType::Directory });
    let content = content.unwrap_or_default();
    header.set_size(content.len() as u64);
    builder.append_data(&mut header, path, content)?;
    Ok(())
}

/// Writes an image into one archive, which `docker load` and `podman load` take.
///
/// # Errors
/// When the file cannot be written.
pub fn bundle(files: &[Entry], to: &Path) -> Result<(), Error> {
    std::fs::write(to, archive(files)?)?;
    Ok(())
}
