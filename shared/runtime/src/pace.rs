//! Waiting, and work that blocks, as the host does them.

use tokio::sync::{Mutex, MutexGuard};

#[cfg(not(target_family = "wasm"))]
pub use tokio::time::{sleep, timeout};

#[cfg(target_family = "wasm")]
pub use crate::host::spin::sleep;
#[cfg(target_family = "wasm")]
pub(crate) use crate::host::spin::timeout;

/// Work that outlives who waits for it: it is waited for so long, and then goes on by itself. None when it does, or came to no
/// end.
#[cfg(not(target_family = "wasm"))]
pub async fn going_on<T: Send + 'static>(
    longest: std::time::Duration, work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    timeout(longest, tokio::spawn(work)).await.ok()?.ok()
}

/// How much of some work is done at once in this process.
#[cfg(not(target_family = "wasm"))]
pub struct Turns(tokio::sync::Semaphore);

#[cfg(not(target_family = "wasm"))]
impl Turns {
    /// So many at once.
    pub const fn new(at_once: usize) -> Self {
        Self(tokio::sync::Semaphore::const_new(at_once))
    }

    /// Waits for a turn, which lasts as long as what is returned.
    pub async fn turn(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        self.0.acquire().await.ok()
    }
}

/// Waits for a lock.
#[cfg(not(target_family = "wasm"))]
pub async fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().await
}

/// Waits for a lock by looking again. In a guest no request can wake another: what the SDK is built on (wit-bindgen 0.57) ends
/// the guest, without its feature `inter-task-wakeup` by saying so, with it by a trap of the host.
#[cfg(target_family = "wasm")]
pub async fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    loop {
        if let Ok(locked) = lock.try_lock() {
            return locked;
        }
        sleep(std::time::Duration::from_millis(2)).await;
    }
}

/// Does work that blocks where it keeps nobody else from theirs. None when it came to no end.
#[cfg(not(target_family = "wasm"))]
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Does work that blocks. A guest has one thread: its other requests wait meanwhile.
#[cfg(target_family = "wasm")]
#[expect(clippy::unused_async, reason = "as where there are threads")]
pub async fn blocking<T>(work: impl FnOnce() -> T) -> Option<T> {
    Some(work())
}
