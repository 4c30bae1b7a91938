//! Counted places: how many of something one key may hold at a time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// At most `max` places per key. A key without places takes no memory.
pub(crate) struct Quota<K: Eq + Hash + Clone> {
    max: usize,
    taken: Mutex<HashMap<K, usize>>,
}

impl<K: Eq + Hash + Clone> Quota<K> {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            taken: Mutex::default(),
        })
    }

    /// A place for this key, given back on drop; `None` if it has all of its places.
    pub(crate) fn take(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&key).copied().unwrap_or(0);
        if count >= self.max {
            return None;
        }
        taken.insert(key.clone(), count + 1);
        Some(Place {
            quota: Arc::clone(self),
            key,
        })
    }
}

/// One place, held until dropped.
pub(crate) struct Place<K: Eq + Hash + Clone> {
    quota: Arc<Quota<K>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self
            .quota
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gets_its_places_and_no_more() {
        let quota = Quota::new(2);
        let first = quota.take('a').unwrap();
        let _second = quota.take('a').unwrap();
        assert!(quota.take('a').is_none());
        assert!(
            quota.take('b').is_some(),
            "another key has places of its own"
        );
        drop(first);
        assert!(quota.take('a').is_some());
    }

    #[test]
    fn a_key_that_gave_everything_back_takes_no_memory() {
        let quota = Quota::new(3);
        drop((
            quota.take(1).unwrap(),
            quota.take(1).unwrap(),
            quota.take(2).unwrap(),
        ));
        assert!(quota.taken.lock().unwrap().is_empty());
    }
}
