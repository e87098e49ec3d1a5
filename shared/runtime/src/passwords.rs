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
use crate::pace;

/// argon2id as the OWASP Password Storage Cheat Sheet asks: 19 MiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Hashes computed at once: each takes 19 MiB and a core.
const HASHES_AT_ONCE: usize = 4;
/// Proofs that wait for their turn at most. A wrong password takes four hashes, some 100 ms on a slow core: of those that wait,
/// the last is answered well within the ten seconds of an answer.
const WAITING: usize = 60;
/// Length of a hash, in bytes.
const LENGTH: usize = 32;

/// Hashes passwords.
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    /// How many wait or work.
    present: Arc<AtomicUsize>,
    tables: Arc<Tables>,
    done: Arc<AtomicUsize>,
}

/// A place among those who wait or work, given up however it ends.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(present: &Arc<AtomicUsize>) -> Result<Self, KeyError> {
        let place = Self(present.clone());
        if present.fetch_add(1, Ordering::Relaxed) < HASHES_AT_ONCE + WAITING { Ok(place) } else { Err(KeyError::Busy) }
    }
}

impl Drop for Place {
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

/// Whether a hash was made with the parameters that new ones are made with. One without a password needs none.
pub fn is_present_hash(stored: &str) -> bool {
    let Ok(hash) = PasswordHash::new(stored) else { return true };
    let of = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    hash.algorithm == Algorithm::Argon2id.ident()
        && hash.version == Some(Version::V0x13.into())
        && Params::try_from(&hash).is_ok_and(|params| of(&params) == (MEMORY_KIB, PASSES, 1))
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            present: Arc::default(),
            tables: Arc::default(),
            done: Arc::default(),
        }
    }

    /// On a thread that may block, when it is this one's turn. Who goes away while waiting leaves a place; work that has begun
    /// keeps its place and its turn until it is done, whoever still waits for it: else there would be more at once.
    async fn work<T: Send + 'static>(
        &self, work: impl FnOnce(&Tables, &AtomicUsize) -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, KeyError> {
        let place = Place::take(&self.present)?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| KeyError::Failed("closing"))?;
        let (tables, done) = (self.tables.clone(), self.done.clone());
        let work = move || {
            let _here = (turn, place);
            work(&tables, &done)
        };
        pace::blocking(work).await.ok_or(KeyError::Failed("hash"))?
    }

    /// How many hashes were begun so far.
    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) async fn hash(&self, password: String) -> Result<String, KeyError> {
        // One device types an accent as one character, another as two.
        let password = nfc(&password);
        self.work(move |tables, done| {
            done.fetch_add(1, Ordering::Relaxed);
            tables.new_hash(&password)
        })
        .await
    }

    /// The first of these hashes that the password matches, all in one turn. Where there is none, or the dash of an account
    /// that has no password, it takes as long and does not match.
    pub(crate) async fn first_match(
        &self, password: String, stored: Vec<Option<String>>,
    ) -> Result<Option<usize>, KeyError> {
        let password = nfc(&password);
        self.work(move |tables, done| {
            for (at, stored) in stored.into_iter().enumerate() {
                done.fetch_add(1, Ordering::Relaxed);
                let matches = match stored.filter(|stored| stored != "-") {
                    Some(stored) => tables.matches(&password, &stored)?,
                    None => tables.new_hash(&password).map(|_| false)?,
                };
                if matches {
                    return Ok(Some(at));
                }
            }
            Ok(None)
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
        assert!(is_present_hash(&hash) && is_present_hash("-"));
        assert!(!is_present_hash(&hash.replace("t=2", "t=1")) && !is_present_hash(&hash.replace("19456", "9728")));
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
    async fn who_goes_away_frees_no_turn_that_is_still_worked_in() {
        let passwords = Arc::new(Passwords::new());
        for _ in 0..12 {
            let leaving = {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.hash("une phrase de passe".into()).await })
            };
            tokio::time::sleep(std::time::Duration::from_millis(3)).await;
            leaving.abort();
            let present = passwords.present.load(Ordering::Relaxed);
            assert!(
                HASHES_AT_ONCE - passwords.turns.available_permits() <= present,
                "a turn is somebody's who is here"
            );
        }
        // Another waits for a real turn, and there are no more tables than turns.
        passwords.hash("la dernière".into()).await.unwrap();
        while passwords.present.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
        let tables = passwords.tables.0.lock().unwrap().len();
        assert!((1..=HASHES_AT_ONCE).contains(&tables), "{tables}");
        assert_eq!(passwords.turns.available_permits(), HASHES_AT_ONCE);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_turn_does_for_all_candidates_of_a_sign_in() {
        let passwords = Passwords::new();
        let known = passwords.hash("la bonne phrase".into()).await.unwrap();
        let before = passwords.done();
        let candidates = vec![None, Some("-".to_owned()), Some(known), None];
        assert_eq!(passwords.first_match("la bonne phrase".into(), candidates.clone()).await.unwrap(), Some(2));
        assert_eq!(passwords.first_match("une mauvaise phrase".into(), candidates).await.unwrap(), None);
        assert_eq!(passwords.done() - before, 3 + 4);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn beyond_a_full_queue_one_is_told_to_come_back() {
        let passwords = Arc::new(Passwords::new());
        let all = passwords.turns.acquire_many(u32::try_from(HASHES_AT_ONCE).unwrap()).await.unwrap();
        let waiting = (0..HASHES_AT_ONCE + WAITING).map(|_| {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.work(|_, _| Ok(())).await })
        });
        let waiting = waiting.collect::<Vec<_>>();
        while passwords.present.load(Ordering::Relaxed) < HASHES_AT_ONCE + WAITING {
            tokio::task::yield_now().await;
        }
        assert!(matches!(passwords.hash("une phrase".into()).await, Err(KeyError::Busy)));
        // Who goes away leaves a place.
        waiting[7].abort();
        while passwords.present.load(Ordering::Relaxed) == HASHES_AT_ONCE + WAITING {
            tokio::task::yield_now().await;
        }
        drop(all);
        assert!(passwords.hash("une phrase".into()).await.is_ok());
        let mut served = 0;
        for one in waiting {
            served += usize::from(one.await.is_ok_and(|worked| worked.is_ok()));
        }
        assert_eq!(served, HASHES_AT_ONCE + WAITING - 1);
        assert_eq!(passwords.present.load(Ordering::Relaxed), 0);
    }
}
