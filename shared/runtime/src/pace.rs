//! Waiting, and work that blocks, as the host does them.

use tokio::sync::{Mutex, MutexGuard};

#[cfg(not(target_family = "wasm"))]
pub(crate) use tokio::time::{sleep, timeout};

#[cfg(target_family = "wasm")]
pub(crate) use crate::host::spin::{sleep, timeout};

/// Waits for a lock.
#[cfg(not(target_family = "wasm"))]
pub(crate) async fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().await
}

/// Waits for a lock by looking again. In a guest no request can wake another: what the SDK is built on (wit-bindgen 0.57) ends
/// the guest, without its feature `inter-task-wakeup` by saying so, with it by a trap of the host.
#[cfg(target_family = "wasm")]
pub(crate) async fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    loop {
        if let Ok(locked) = lock.try_lock() {
            return locked;
        }
        sleep(std::time::Duration::from_millis(2)).await;
    }
}

/// Does work that blocks where it keeps nobody else from theirs. None when it came to no end.
#[cfg(not(target_family = "wasm"))]
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Does work that blocks. A guest has one thread: its other requests wait meanwhile.
#[cfg(target_family = "wasm")]
#[expect(clippy::unused_async, reason = "as where there are threads")]
pub(crate) async fn blocking<T>(work: impl FnOnce() -> T) -> Option<T> {
    Some(work())
}
