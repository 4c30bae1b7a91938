//! Finding the hits at the responder: look up, unmask, group by pair of subjects.
//!
//! The responder looks up c = 0 for each own match key and goes on to c = 1, 2, … only after a hit, so it sees
//! nothing of subjects that share no match key with its own. Nothing here depends on how the pairs are
//! graded; the linkage rules do that with the mask of agreed key types.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::prf::PrfValue;
use crate::question::{PAYLOAD_BYTES, Payload};
use crate::terms::Terms;

/// A question as received: cells in ascending order, already checked.
pub struct Cells<'a> {
    bytes: &'a [u8],
    cell_bytes: usize,
}

impl<'a> Cells<'a> {
    /// # Panics
    /// If `bytes` is not a whole number of cells.
    pub fn new(terms: &Terms, bytes: &'a [u8]) -> Self {
        let cell_bytes = terms.cell_bytes();
        assert_eq!(bytes.len() % cell_bytes, 0, "whole cells");
        Self { bytes, cell_bytes }
    }

    /// The masked payload behind a tag, by binary search.
    fn find(&self, tag: &[u8]) -> Option<&'a [u8]> {
        let cell =
            |index: usize| &self.bytes[index * self.cell_bytes..(index + 1) * self.cell_bytes];
        let (mut low, mut high) = (0, self.bytes.len() / self.cell_bytes);
        while low < high {
            let middle = usize::midpoint(low, high);
            if &cell(middle)[..tag.len()] < tag {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low * self.cell_bytes < self.bytes.len())
            .then(|| cell(low))
            .filter(|found| found.starts_with(tag))
            .map(|found| &found[tag.len()..])
    }
}

/// One own match key that a cell was found for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgreedKey {
    /// Key type.
    pub key_type: u8,
    /// Row of the own match key within its type.
    pub row: u32,
}

/// An own subject and a requester's subject that share match keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Index of the own subject.
    pub own_subject: u32,
    /// The requester's number for its subject.
    pub subject_number: u32,
    /// Key types that the requester's subject has.
    pub peer_key_types: u32,
    /// The match keys that agree, ascending.
    pub agreed: Vec<AgreedKey>,
}

impl Pair {
    /// The types of the match keys that agree, one bit each.
    pub fn agreed_types(&self) -> u32 {
        self.agreed
            .iter()
            .fold(0, |mask, key| mask | 1 << key.key_type)
    }
}

/// What a match found, apart from any threshold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchOutcome {
    /// All pairs, by own subject, then number.
    pub pairs: Vec<Pair>,
    /// Own subjects dropped because they paired with more than `max_pairs` numbers.
    pub dropped_subjects: BTreeSet<u32>,
    /// Numbers of the pairs that were ignored because their cells contradict one another.
    pub ignored_numbers: BTreeSet<u32>,
}

/// Collects hits row by row; memory grows with the pairs only, at most `max_pairs` per own subject and row.
///
/// What becomes of a pair depends on the keys of its own subject alone. Were a number ignored everywhere because its
/// cells contradict one another at two own subjects, a requester could ask for two strangers under one number and
/// learn from a release of the one whether the other is known too.
pub struct Matcher<'a> {
    terms: &'a Terms,
    cells: Cells<'a>,
    max_pairs: u32,
    pairs: BTreeMap<(u32, u32), Candidate>,
    numbers_of: HashMap<u32, u32>,
    dropped: BTreeSet<u32>,
}

/// A pair whose own match keys have not all been looked up.
struct Candidate {
    peer_key_types: u32,
    agreed: Vec<AgreedKey>,
    contradictory: bool,
}

impl Candidate {
    fn new(payload: Payload) -> Self {
        Self {
            peer_key_types: payload.key_types,
            agreed: Vec::new(),
            contradictory: false,
        }
    }

    fn add(&mut self, key: &AgreedKey, payload: Payload) {
        let same = payload.key_types == self.peer_key_types;
        let has_type = payload.key_types & 1 << key.key_type != 0;
        self.contradictory |= !(same && has_type);
        // The same key again says nothing new, however often a requester repeats a number under it.
        if self.agreed.last() != Some(key) {
            self.agreed.push(key.clone());
        }
    }
}

impl<'a> Matcher<'a> {
    /// `max_pairs`: the most requester subjects that one own subject may pair with, from the agreement.
    pub fn new(terms: &'a Terms, cells: Cells<'a>, max_pairs: u32) -> Self {
        Self {
            terms,
            cells,
            max_pairs,
            pairs: BTreeMap::new(),
            numbers_of: HashMap::new(),
            dropped: BTreeSet::new(),
        }
    }

    /// Looks up one own match key, held by `own_subjects`.
    pub fn look_up(&mut self, key: &AgreedKey, value: &PrfValue, own_subjects: &[u32]) {
        let round = self.terms.round_id();
        let tag_bytes = self.terms.cell_bytes() - PAYLOAD_BYTES;
        // One more than allowed is enough to know that every holder of this key is dropped.
        for c in 0..=self.max_pairs {
            let tag = value.tag(round, c);
            let Some(masked) = self.cells.find(&tag[..tag_bytes]) else {
                break;
            };
            let payload = Payload::unmask(masked, value, round, c);
            for &own_subject in own_subjects {
                self.add(own_subject, payload, key);
            }
        }
    }

    /// All pairs, the contradictory and the dropped left out.
    pub fn finish(self) -> MatchOutcome {
        let mut outcome = MatchOutcome {
            dropped_subjects: self.dropped,
            ..MatchOutcome::default()
        };
        for ((own_subject, subject_number), mut found) in self.pairs {
            if found.contradictory {
                outcome.ignored_numbers.insert(subject_number);
                continue;
            }
            found.agreed.sort_unstable();
            found.agreed.dedup();
            outcome.pairs.push(Pair {
                own_subject,
                subject_number,
                peer_key_types: found.peer_key_types,
                agreed: found.agreed,
            });
        }
        outcome
    }

    fn add(&mut self, own_subject: u32, payload: Payload, key: &AgreedKey) {
        if self.dropped.contains(&own_subject) {
            return;
        }
        let pair = (own_subject, payload.subject_number);
        if let Some(found) = self.pairs.get_mut(&pair) {
            found.add(key, payload);
            return;
        }
        // Contradictory pairs count too, so that the order of the look-ups does not matter.
        let numbers = self.numbers_of.entry(own_subject).or_insert(0);
        *numbers += 1;
        if *numbers > self.max_pairs {
            self.dropped.insert(own_subject);
            let of_subject: Vec<_> = self
                .pairs
                .range((own_subject, 0)..=(own_subject, u32::MAX))
                .map(|(pair, _)| *pair)
                .collect();
            for pair in of_subject {
                self.pairs.remove(&pair);
            }
        } else {
            let mut found = Candidate::new(payload);
            found.add(key, payload);
            self.pairs.insert(pair, found);
        }
    }
}
