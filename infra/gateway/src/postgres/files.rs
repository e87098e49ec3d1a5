//! Directories that are made, copied, given away and removed whole.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::{DirBuilderExt as _, chown},
    path::Path,
};

use super::PostgresError;

/// Only the last directory is private: where the server runs as another user it has to pass through the others.
pub fn make_private(directory: &Path) -> Result<(), PostgresError> {
    let made = directory.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
        DirBuilder::new()
            .mode(0o700)
            .create(directory)
            .or_else(|error| if directory.is_dir() { Ok(()) } else { Err(error) })
    });
    made.map_err(PostgresError::io("create", directory))
}

pub fn remove(path: &Path) -> Result<(), PostgresError> {
    let result = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    result.map_err(PostgresError::io("remove", path))
}

pub fn copy_tree(from: &Path, to: &Path) -> Result<(), PostgresError> {
    make_private(to)?;
    for entry in fs::read_dir(from).map_err(PostgresError::io("read", from))? {
        let entry = entry.map_err(PostgresError::io("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            copy_tree(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(PostgresError::io("copy", &source))?;
        }
    }
    Ok(())
}

pub fn give_away(path: &Path, owner: Option<(u32, u32)>) -> Result<(), PostgresError> {
    let Some((uid, gid)) = owner else { return Ok(()) };
    chown(path, Some(uid), Some(gid)).map_err(PostgresError::io("give away", path))?;
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(PostgresError::io("read", path))?.flatten() {
            give_away(&entry.path(), owner)?;
        }
    }
    Ok(())
}
