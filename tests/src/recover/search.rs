//! Trying every number of a space, on all processors, until done or out of time.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Jmbg, Space};

/// What a search did.
#[derive(Clone, Copy, Debug)]
pub struct Searched {
    /// Numbers tried.
    pub candidates: u64,
    /// Numbers that the space has.
    pub of: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl Searched {
    /// Whether every number was tried.
    pub fn is_complete(&self) -> bool {
        self.candidates == self.of
    }

    /// Numbers per second.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate for people, and counts are far below 2^52"
    )]
    pub fn rate(&self) -> f64 {
        self.candidates as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Hands out every number of a space in batches that share birth date and region. Each thread has a worker of its
/// own, which collects what it finds; the findings of all are returned. `limit` ends the search early.
pub fn search<F: Send, W: FnMut(&[Jmbg], &mut Vec<F>)>(
    space: &Space,
    limit: Option<Duration>,
    worker: impl Fn() -> W + Sync,
) -> (Vec<F>, Searched) {
    let (days, regions) = (space.days(), space.regions.clone().collect::<Vec<_>>());
    let batches = days.len() * regions.len();
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    let in_time = || limit.is_none_or(|limit| start.elapsed() < limit);
    let run = || {
        let (mut work, mut found, mut batch) = (worker(), Vec::new(), Vec::new());
        let mut tried = 0;
        while in_time() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= batches {
                break;
            }
            let (day, region) = (days[index / regions.len()], regions[index % regions.len()]);
            batch.clear();
            Jmbg::extend(&mut batch, day, region, space.serials.clone());
            work(&batch, &mut found);
            tried += batch.len() as u64;
        }
        (found, tried)
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let outcomes: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        let joined = running
            .into_iter()
            .map(|thread| thread.join().expect("a worker does not panic"));
        joined.collect()
    });
    let searched = Searched {
        candidates: outcomes.iter().map(|(_, tried)| tried).sum(),
        of: space.count(),
        elapsed: start.elapsed(),
    };
    (
        outcomes.into_iter().flat_map(|(found, _)| found).collect(),
        searched,
    )
}
