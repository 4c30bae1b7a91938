//! The node's clock: the system's, or one that a test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The operating system's.
    System,
    /// Milliseconds since the epoch, set by a test.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// Unix seconds.
    pub fn now_s(&self) -> u64 {
        self.now_ms() / 1_000
    }

    /// Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        match self {
            Self::System => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or(Duration::ZERO);
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }
            Self::Manual(ms) => ms.load(Ordering::SeqCst),
        }
    }

    /// How long to wait until a time, in Unix seconds; zero if it has passed.
    pub fn until_s(&self, time_s: u64) -> Duration {
        Duration::from_millis((time_s * 1_000).saturating_sub(self.now_ms()))
    }
}
