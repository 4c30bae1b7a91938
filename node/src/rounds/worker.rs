//! Group arithmetic on worker threads, never on the threads that carry messages.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinError;

use crate::rounds::error::RoundError;

/// As many jobs at once as the node may use threads.
#[derive(Clone)]
pub(crate) struct Workers {
    slots: Arc<Semaphore>,
    threads: usize,
}

impl Workers {
    pub(crate) fn new(threads: Option<usize>) -> Self {
        let available = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.unwrap_or_else(available).max(1);
        Self {
            slots: Arc::new(Semaphore::new(threads)),
            threads,
        }
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Runs a job when a thread is free.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, RoundError> {
        let slot = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(|_| RoundError::Stopping)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = job();
            drop(slot);
            result
        });
        done.await
            .map_err(|error: JoinError| RoundError::Storage(error.to_string()))
    }
}
