//! Copies in a directory: each file is made once, whole, and can only be read.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::{Objects, ObjectsError};
use crate::pace;

/// A directory, made when first written to. What keeps it from being changed is up to who mounts it.
pub struct Folder(PathBuf);

impl Folder {
    /// In that directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }
}

fn failed(error: std::io::Error) -> ObjectsError {
    ObjectsError::Store(error.to_string())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ObjectsError> + Send + 'static,
) -> Result<T, ObjectsError> {
    pace::blocking(work).await.ok_or_else(|| ObjectsError::Store("the work came to no end".into()))?
}

impl Objects for Folder {
    fn put<'a>(&'a self, name: &'a str, bytes: Vec<u8>, _: Timestamp) -> BoxFuture<'a, Result<(), ObjectsError>> {
        let (directory, name) = (self.0.clone(), name.to_owned());
        Box::pin(blocking(move || put(&directory, &name, &bytes)))
    }

    fn names(&self) -> BoxFuture<'_, Result<Vec<String>, ObjectsError>> {
        let directory = self.0.clone();
        Box::pin(blocking(move || names(&directory)))
    }

    fn get<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, ObjectsError>> {
        let file = self.0.join(name);
        Box::pin(blocking(move || match fs::read(file) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }))
    }
}

/// Written beside, then linked: a name is there with the whole of its bytes, or not at all.
fn put(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), ObjectsError> {
    let file = directory.join(name);
    let compare = |found: Vec<u8>| if found == bytes { Ok(()) } else { Err(ObjectsError::Another(name.to_owned())) };
    match fs::read(&file) {
        Ok(found) => return compare(found),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    fs::create_dir_all(directory).map_err(failed)?;
    let beside = directory.join(format!(".{name}.{}", uuid::Uuid::new_v4()));
    let written = write(&beside, bytes).and_then(|()| fs::hard_link(&beside, &file));
    let _ = fs::remove_file(&beside);
    match written {
        Ok(()) => File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed),
        // Somebody else was quicker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => compare(fs::read(&file).map_err(failed)?),
        Err(error) => Err(failed(error)),
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(true);
    file.set_permissions(permissions)?;
    file.sync_all()
}

fn names(directory: &Path) -> Result<Vec<String>, ObjectsError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
