//! Room for a file that is being looked at: on the disk, without a name, and gone with the process however that ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use axum::body::Bytes;
use tokio::io::AsyncRead;
use uuid::Uuid;

use crate::pace;

/// A file that nobody else can open.
#[derive(Clone)]
pub struct Scratch(Arc<File>);

impl Scratch {
    /// An empty one, in a directory of ours.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn new(directory: &Path) -> io::Result<Self> {
        let directory = directory.to_owned();
        ended(pace::blocking(move || {
            std::fs::create_dir_all(&directory)?;
            let path = directory.join(Uuid::now_v7().to_string());
            let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
            // It lives as long as it is open.
            std::fs::remove_file(&path)?;
            Ok(Self(Arc::new(file)))
        }))
        .await
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn append(&self, bytes: Bytes) -> io::Result<()> {
        let file = self.0.clone();
        ended(pace::blocking(move || {
            let mut file = &*file;
            file.seek(SeekFrom::End(0))?;
            file.write_all(&bytes)
        }))
        .await
    }

    /// Reads bytes wherever they are.
    ///
    /// # Errors
    /// What the disk says, and when there are fewer.
    pub async fn read_at(&self, from: u64, length: usize) -> io::Result<Vec<u8>> {
        let file = self.0.clone();
        ended(pace::blocking(move || {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, from)?;
            Ok(bytes)
        }))
        .await
    }

    /// Its length, in bytes.
    ///
    /// # Errors
    /// What the disk says.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// The file itself, for work that blocks. All that is had of it share one position.
    ///
    /// # Errors
    /// When the process has too many files open.
    pub fn file(&self) -> io::Result<File> {
        self.0.try_clone()
    }

    /// From its first byte on.
    ///
    /// # Errors
    /// What the disk says.
    pub fn reader(&self) -> io::Result<impl AsyncRead + Send + Unpin + use<>> {
        let mut file = self.file()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(tokio::fs::File::from_std(file))
    }
}

async fn ended<T>(work: impl Future<Output = Option<io::Result<T>>>) -> io::Result<T> {
    work.await.unwrap_or_else(|| Err(io::Error::other("the work came to no end")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_and_has_no_name() {
        let directory = std::env::temp_dir().join(Uuid::now_v7().to_string());
        let scratch = Scratch::new(&directory).await.unwrap();
        scratch.append(Bytes::from_static(b"abc")).await.unwrap();
        scratch.append(Bytes::from_static(b"def")).await.unwrap();
        assert_eq!((scratch.length().unwrap(), scratch.read_at(2, 3).await.unwrap()), (6, b"cde".to_vec()));
        assert!(scratch.read_at(4, 3).await.is_err());
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
        std::fs::remove_dir(&directory).unwrap();
    }
}
