//! Password hashes: argon2id, few at once, in memory that is used again.
//!
//! A hash works in 19 MiB. Taken from the allocator each time, by whichever thread is free, they stay with the arenas of
//! all those threads: a process that signed two hundred people in held 950 MB. Here there are never more than
//! [`HASHES_AT_ONCE`] tables.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, Salt};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use domain::person::nfc;
use tokio::sync::Semaphore;

use crate::keys::KeyError;

/// argon2id as the OWASP Password Storage Cheat Sheet asks: 19 MiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Hashes computed at once: each takes 19 MiB and a core.
const HASHES_AT_ONCE: usize = 4;
/// Hashes that wait for their turn at most: at some 30 ms each on a slow core, the last of them is still in time.
const HASHES_WAITING: usize = 200;
/// Length of a hash, in bytes.
const LENGTH: usize = 32;

/// Hashes passwords.
pub(crate) struct Passwords {
    turns: Semaphore,
    /// How many wait or work.
    present: AtomicUsize,
    tables: Arc<Tables>,
    done: AtomicUsize,
}

/// A place among those who wait or work, given up however it ends.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(present: &'a AtomicUsize) -> Result<Self, KeyError> {
        let place = Self(present);
        if present.fetch_add(1, Ordering::Relaxed) < HASHES_AT_ONCE + HASHES_WAITING {
            Ok(place)
        } else {
            Err(KeyError::Busy)
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tables that nobody works in at the moment.
#[derive(Default)]
struct Tables(Mutex<Vec<Vec<Block>>>);

impl Tables {
    fn hash(&self, password: &[u8], salt: &Salt, params: Params) -> Result<Output, KeyError> {
        let free = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = free().pop().unwrap_or_default();
        table.resize(params.block_count(), Block::default());
        let mut hash = [0; LENGTH];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let done = argon2.hash_password_into_with_memory(password, salt, &mut hash, &mut table);
        free().push(table);
        done.map_err(|_| KeyError::Failed("hash"))?;
        Output::new(&hash).map_err(|_| KeyError::Failed("hash"))
    }

    fn new_hash(&self, password: &str) -> Result<String, KeyError> {
        let failed = |_| KeyError::Failed("hash");
        let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_| KeyError::Failed("hash"))?;
        let salt = Salt::generate();
        let hash = self.hash(password.as_bytes(), &salt, params.clone())?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(failed)?,
            salt: Some(salt),
            hash: Some(hash),
        };
        Ok(hash.to_string())
    }

    fn matches(&self, password: &str, stored: &str) -> Result<bool, KeyError> {
        let unusable = KeyError::Failed("stored hash");
        let Ok(stored) = PasswordHash::new(stored) else { return Err(unusable) };
        let ours = stored.algorithm == Algorithm::Argon2id.ident() && stored.version == Some(Version::V0x13.into());
        match (stored.salt, stored.hash, Params::try_from(&stored)) {
            // Two outputs are compared in constant time.
            (Some(salt), Some(hash), Ok(params)) if ours => Ok(self.hash(password.as_bytes(), &salt, params)? == hash),
            _ => Err(unusable),
        }
    }
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self {
            turns: Semaphore::new(HASHES_AT_ONCE),
            present: AtomicUsize::new(0),
            tables: Arc::default(),
            done: AtomicUsize::new(0),
        }
    }

    /// On a thread that may block, when it is this one's turn.
    async fn work<T: Send + 'static>(
        &self, work: impl FnOnce(&Tables) -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, KeyError> {
        let _place = Place::take(&self.present)?;
        let _turn = self.turns.acquire().await.map_err(|_| KeyError::Failed("closing"))?;
        self.done.fetch_add(1, Ordering::Relaxed);
        let tables = self.tables.clone();
        tokio::task::spawn_blocking(move || work(&tables)).await.map_err(|_| KeyError::Failed("hash"))?
    }

    /// How many hashes were begun so far.
    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) async fn hash(&self, password: String) -> Result<String, KeyError> {
        // One device types an accent as one character, another as two.
        let password = nfc(&password);
        self.work(move |tables| tables.new_hash(&password)).await
    }

    /// Without a stored hash, or with the dash of an account that has no password, it takes as long and is false.
    pub(crate) async fn matches(&self, password: String, stored: Option<String>) -> Result<bool, KeyError> {
        let password = nfc(&password);
        self.work(move |tables| match stored.filter(|stored| stored != "-") {
            Some(stored) => tables.matches(&password, &stored),
            None => tables.new_hash(&password).map(|_| false),
        })
        .await
    }
}

/// Hashes a password on the calling thread; for tools.
///
/// # Errors
/// [`KeyError::Failed`] when the library refuses.
pub fn hash_password(password: &str) -> Result<String, KeyError> {
    Tables::default().new_hash(&nfc(password))
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier as _;

    use super::*;

    #[test]
    fn passwords_are_hashed_with_the_parameters_owasp_asks_for() {
        let tables = Tables::default();
        let hash = tables.new_hash("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(tables.matches("correct horse", &hash).unwrap());
        assert!(!tables.matches("correct horsf", &hash).unwrap());
        assert_ne!(hash, tables.new_hash("correct horse").unwrap());
        // As the library itself reads it, and hashes of other parameters as well.
        assert!(Argon2::default().verify_password(b"correct horse", hash.as_str()).is_ok());
        for broken in ["", "-", "$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA", &hash[..60]] {
            assert!(!tables.matches("correct horse", broken).is_ok_and(|matches| matches), "{broken}");
        }
        assert_eq!(tables.0.lock().unwrap().len(), 1, "one table did all of it");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_at_once_use_few_tables() {
        let passwords = Arc::new(Passwords::new());
        let work = (0..24).map(|n| {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.hash(format!("mot de passe {n}")).await.unwrap() })
        });
        for hash in work.collect::<Vec<_>>() {
            hash.await.unwrap();
        }
        assert!(passwords.tables.0.lock().unwrap().len() <= HASHES_AT_ONCE);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn beyond_a_full_queue_one_is_told_to_come_back() {
        let passwords = Arc::new(Passwords::new());
        let all = passwords.turns.acquire_many(u32::try_from(HASHES_AT_ONCE).unwrap()).await.unwrap();
        let waiting = (0..HASHES_AT_ONCE + HASHES_WAITING).map(|_| {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.work(|_| Ok(())).await })
        });
        let waiting = waiting.collect::<Vec<_>>();
        while passwords.present.load(Ordering::Relaxed) < HASHES_AT_ONCE + HASHES_WAITING {
            tokio::task::yield_now().await;
        }
        assert!(matches!(passwords.hash("une phrase".into()).await, Err(KeyError::Busy)));
        // Who goes away leaves a place.
        waiting[7].abort();
        while passwords.present.load(Ordering::Relaxed) == HASHES_AT_ONCE + HASHES_WAITING {
            tokio::task::yield_now().await;
        }
        drop(all);
        assert!(passwords.hash("une phrase".into()).await.is_ok());
        let mut served = 0;
        for one in waiting {
            served += usize::from(one.await.is_ok_and(|worked| worked.is_ok()));
        }
        assert_eq!(served, HASHES_AT_ONCE + HASHES_WAITING - 1);
        assert_eq!(passwords.present.load(Ordering::Relaxed), 0);
    }
}
