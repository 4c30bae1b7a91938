//! A list of numbers "hashed for privacy", and its undoing.

use std::collections::HashSet;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Jmbg, Searched, Space, search};

/// Bits of a digest that pick a place in the filter: 8 KiB, so that it stays in the nearest cache.
const FILTER_BITS: u32 = 16;

/// `SHA-256(salt ‖ number)` of each number on a list. The salt may be empty, or a secret that both agencies share:
/// for either of them, and for whoever obtains it, it hides nothing.
pub struct HashedList {
    salted: Sha256,
    digests: HashSet<[u8; 32]>,
    /// Which prefixes of a digest occur at all.
    filter: Vec<bool>,
}

impl HashedList {
    /// What an agency would send.
    pub fn publish(salt: &[u8], numbers: &[Jmbg]) -> Self {
        let salted = Sha256::new().chain_update(salt);
        let digest = |number: &Jmbg| {
            salted
                .clone()
                .chain_update(number.as_bytes())
                .finalize()
                .into()
        };
        let digests: HashSet<[u8; 32]> = numbers.iter().map(digest).collect();
        let mut filter = vec![false; 1 << FILTER_BITS];
        for digest in &digests {
            filter[prefix(digest)] = true;
        }
        Self {
            salted,
            digests,
            filter,
        }
    }

    /// The same digests, as somebody sees them who believes in another salt.
    #[must_use]
    pub fn seen_with_salt(self, salt: &[u8]) -> Self {
        let salted = Sha256::new().chain_update(salt);
        Self { salted, ..self }
    }

    /// How many digests there are.
    pub fn len(&self) -> usize {
        self.digests.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// The numbers of `space` that are on the list, ascending.
    pub fn recover(&self, space: &Space, limit: Option<Duration>) -> (Vec<Jmbg>, Searched) {
        let (mut found, searched) = search(space, limit, || {
            |batch: &[Jmbg], found: &mut Vec<Jmbg>| {
                found.extend(batch.iter().filter(|number| self.holds(number)));
            }
        });
        found.sort_unstable();
        (found, searched)
    }

    fn holds(&self, number: &Jmbg) -> bool {
        let digest: [u8; 32] = self
            .salted
            .clone()
            .chain_update(number.as_bytes())
            .finalize()
            .into();
        self.filter[prefix(&digest)] && self.digests.contains(&digest)
    }
}

fn prefix(digest: &[u8; 32]) -> usize {
    usize::from(u16::from_le_bytes([digest[0], digest[1]]))
}
