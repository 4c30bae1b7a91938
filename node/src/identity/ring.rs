//! The key sets of a node and what each of them is good for.

use mandorla_protocol::PublicKeys;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{KeySet, SEEDS_BYTES};

/// State, sequence, until.
const HEAD_BYTES: usize = 1 + 4 + 8;
const ENTRY_BYTES: usize = HEAD_BYTES + SEEDS_BYTES;
/// More than a hundred years of yearly changes.
const SETS_MAX: usize = 128;

/// What a key set is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyState {
    /// In force from the next start on, or already.
    Current,
    /// Made, and not yet known to every peer.
    Next,
    /// Good beside the current one until its overlap ends.
    Former,
    /// Its secret keys are gone; its signatures are good.
    Erased,
    /// Its secret keys are gone, and nothing that names it is good any more.
    Revoked,
}

impl KeyState {
    const ALL: [Self; 5] = [
        Self::Current,
        Self::Next,
        Self::Former,
        Self::Erased,
        Self::Revoked,
    ];

    fn byte(self) -> u8 {
        match self {
            Self::Current => 0,
            Self::Next => 1,
            Self::Former => 2,
            Self::Erased => 3,
            Self::Revoked => 4,
        }
    }

    fn is_secret(self) -> bool {
        matches!(self, Self::Current | Self::Next | Self::Former)
    }
}

/// One key set in public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RingKeys {
    pub state: KeyState,
    pub sequence: u32,
    /// End of the overlap of a former set, Unix seconds; else 0.
    pub until: u64,
    pub public: PublicKeys,
}

struct Entry {
    state: KeyState,
    sequence: u32,
    until: u64,
    /// Seeds while the state is a secret one; then the public keys.
    bytes: Zeroizing<[u8; SEEDS_BYTES]>,
}

/// Every key set, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Ring(Vec<Entry>);

impl Ring {
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        (rest.is_empty() && entries.len() <= SETS_MAX).then_some(())?;
        let entries = entries.iter().map(|entry| {
            let state = KeyState::ALL.into_iter().find(|s| s.byte() == entry[0])?;
            let mut seeds = Zeroizing::new([0; SEEDS_BYTES]);
            seeds.copy_from_slice(&entry[HEAD_BYTES..]);
            Some(Entry {
                state,
                sequence: u32::from_be_bytes(entry[1..5].try_into().ok()?),
                until: u64::from_be_bytes(entry[5..HEAD_BYTES].try_into().ok()?),
                bytes: seeds,
            })
        });
        let ring = Self(entries.collect::<Option<_>>()?);
        let count = |state| ring.0.iter().filter(|entry| entry.state == state).count();
        (count(KeyState::Current) == 1 && count(KeyState::Next) <= 1).then_some(ring)
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.0.len() * ENTRY_BYTES));
        for entry in &self.0 {
            bytes.push(entry.state.byte());
            bytes.extend_from_slice(&entry.sequence.to_be_bytes());
            bytes.extend_from_slice(&entry.until.to_be_bytes());
            bytes.extend_from_slice(entry.bytes.as_slice());
        }
        bytes
    }

    /// Every key set in public.
    pub(crate) fn all(&self) -> impl Iterator<Item = RingKeys> {
        self.0.iter().map(Entry::public)
    }

    /// The newest key set in a state.
    pub(crate) fn find(&self, state: KeyState) -> Option<RingKeys> {
        self.0
            .iter()
            .rev()
            .find(|entry| entry.state == state)
            .map(Entry::public)
    }

    /// The secret keys of a set that still has them.
    pub(crate) fn secret(&self, sequence: u32) -> Option<KeySet> {
        let entry = self.0.iter().find(|entry| entry.sequence == sequence)?;
        entry
            .state
            .is_secret()
            .then(|| KeySet::of_seeds(sequence, &entry.bytes))
    }

    /// Makes a new set; the oldest public keys go where there are too many.
    pub(crate) fn add(&mut self, state: KeyState, rng: &mut impl CryptoRng) {
        let mut seeds = Zeroizing::new([0; SEEDS_BYTES]);
        rng.fill_bytes(seeds.as_mut_slice());
        if self.0.len() == SETS_MAX
            && let Some(oldest) = self.0.iter().position(|entry| !entry.state.is_secret())
        {
            self.0.remove(oldest);
        }
        self.0.push(Entry {
            state,
            sequence: self.0.last().map_or(0, |last| last.sequence + 1),
            until: 0,
            bytes: seeds,
        });
    }

    /// The next set becomes the current one, the current one a former one until then.
    pub(crate) fn promote(&mut self, until: u64) {
        if self.find(KeyState::Next).is_none() {
            return;
        }
        for entry in &mut self.0 {
            match entry.state {
                KeyState::Current => {
                    entry.state = KeyState::Former;
                    entry.until = until;
                }
                KeyState::Next => entry.state = KeyState::Current,
                KeyState::Former | KeyState::Erased | KeyState::Revoked => {}
            }
        }
    }

    /// Erases the secret keys of a former set.
    pub(crate) fn erase(&mut self, sequence: u32) {
        for entry in &mut self.0 {
            if entry.sequence == sequence && entry.state == KeyState::Former {
                entry.publish(KeyState::Erased);
            }
        }
    }

    /// Erases every secret key, distrusts every set, and makes a new current one.
    pub(crate) fn revoke(&mut self, rng: &mut impl CryptoRng) {
        for entry in &mut self.0 {
            entry.publish(KeyState::Revoked);
        }
        self.add(KeyState::Current, rng);
    }
}

impl Entry {
    fn public(&self) -> RingKeys {
        let public = if self.state.is_secret() {
            KeySet::of_seeds(self.sequence, &self.bytes).public()
        } else {
            let (keys, _) = self.bytes.as_chunks::<32>();
            PublicKeys {
                signing: keys[0],
                transport: keys[1],
                release: keys[2],
            }
        };
        RingKeys {
            state: self.state,
            sequence: self.sequence,
            until: self.until,
            public,
        }
    }

    /// Puts the public keys in the place of the secret ones.
    fn publish(&mut self, state: KeyState) {
        let public = self.public().public;
        for (place, key) in self.bytes.chunks_exact_mut(32).zip(public.all()) {
            place.copy_from_slice(&key);
        }
        self.state = state;
    }
}
