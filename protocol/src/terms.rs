//! The terms of a round: what both sides sign before anything else happens.
//!
//! The hash of the terms is the round id, so keys, nonces, commitments, sizes and times are all under it.

use crate::hash::framed;
use bincode::{Decode, Encode};

use crate::answer::answer_bytes_for;
use crate::codec::encode;
use crate::error::{PeerFault, Refusal};
use crate::evaluation::CHUNK_ROWS;
use crate::hash::h256;
use crate::ids::{Digest, NodeKey, RoundId};
use crate::item::place_bytes_for;
use crate::labels;

/// The only suite of version 1: ristretto255 with SHA-512.
pub const SUITE: u16 = 1;
/// One bit per key type in a cell.
pub const KEY_TYPES_MAX: usize = 32;
/// More answer slots than any agreement needs.
pub const SLOTS_MAX: usize = 8;
/// Clocks may differ by this much at OFFER, ACCEPT and SEEK. It stands in the terms.
pub const CLOCK_SKEW_MAX_S: u64 = 300;
/// An answer is frozen this long before its slot, less where the slot is short.
const CUTOFF_MAX_S: u64 = 300;
/// The empty set and sets up to four elements look alike.
const CLASS_LOG2_MIN: u8 = 2;
/// About 10^9 elements: beyond it, a dataset is split.
pub const CLASS_LOG2_MAX: u8 = 30;
/// Chance that one round sees a coincidental cell: 2^-40.
const TAG_MARGIN_BITS: u32 = 40;
/// Longest tag: it is cut from a 32-byte hash and compared as an integer.
const TAG_BYTES_MAX: u8 = 16;
/// Longest identifier in the terms (purpose, dataset, key type).
const NAME_BYTES_MAX: usize = 64;

/// The smallest class that holds a set of n elements: the class is 2 to this power, at least 4.
///
/// Returns `None` above [`CLASS_LOG2_MAX`].
pub fn size_class_log2(n: u64) -> Option<u8> {
    let log2 = ceil_log2(n).max(CLASS_LOG2_MIN.into());
    u8::try_from(log2)
        .ok()
        .filter(|&class| class <= CLASS_LOG2_MAX)
}

/// Bytes of a cell's tag for an agreement's caps: a chance hit in a round has probability below 2^-40.
pub fn tag_bytes(cells_max: u64, evaluations_max: u64) -> u8 {
    let bits = ceil_log2(cells_max) + ceil_log2(evaluations_max) + TAG_MARGIN_BITS;
    u8::try_from(bits.div_ceil(8)).map_or(TAG_BYTES_MAX, |bytes| bytes.min(TAG_BYTES_MAX))
}

fn ceil_log2(n: u64) -> u32 {
    if n <= 1 {
        0
    } else {
        u64::BITS - (n - 1).leading_zeros()
    }
}

/// One type of match key and the requester's public key for it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeyType {
    /// The id of the match-key rule in the agreement.
    pub id: String,
    /// `K_t`, a canonical ristretto255 element.
    pub public_key: [u8; 32],
}

/// The requester's half of the terms.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Offer {
    /// [`SUITE`].
    pub suite: u16,
    /// Hash of the agreement's exact bytes.
    pub agreement: Digest,
    /// The requester's signing key.
    pub requester: NodeKey,
    /// The responder's signing key.
    pub responder: NodeKey,
    /// The agreement's purpose code.
    pub purpose: String,
    /// Salted hash of the case reference; opened in SEEK.
    pub case_commitment: Digest,
    /// Agreement name of the dataset that the question is made from.
    pub requester_dataset: String,
    /// Agreement name of the dataset that is asked about.
    pub responder_dataset: String,
    /// Salted hash of the requester's dataset.
    pub dataset_commitment: Digest,
    /// Hash of the linkage rules.
    pub rules: Digest,
    /// The agreement's match-key types, in its order.
    pub key_types: Vec<KeyType>,
    /// log2 of the padded number of the requester's subjects.
    pub subjects_class: u8,
    /// log2 of the number of cells.
    pub cells_class: u8,
    /// Bytes of a tag.
    pub tag_bytes: u8,
    /// Answer slots in seconds after the question is acknowledged, ascending.
    pub slots_s: Vec<u32>,
    /// Places in an answer.
    pub max_release: u16,
    /// Bytes of an item's package.
    pub item_bytes: u32,
    /// How long after its slot an answer can be fetched, in seconds.
    pub fetch_window_s: u32,
    /// The question must come within this many seconds of the responder's offer.
    pub question_deadline_s: u32,
    /// [`CLOCK_SKEW_MAX_S`]: both sides sign how far their clocks may differ.
    pub clock_skew_max_s: u32,
    /// Random.
    pub nonce: [u8; 32],
    /// The requester's clock, Unix seconds.
    pub time: u64,
}

/// The responder's half of the terms.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ResponderOffer {
    /// Salted hash of the responder's dataset.
    pub dataset_commitment: Digest,
    /// Hash of the linkage rules.
    pub rules: Digest,
    /// log2 of the padded number of the responder's subjects.
    pub subjects_class: u8,
    /// log2 of the padded number of distinct match keys, per key type.
    pub evaluation_classes: Vec<u8>,
    /// Random.
    pub nonce: [u8; 32],
    /// The responder's clock, Unix seconds.
    pub time: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct TermsBody {
    requester: Offer,
    responder: ResponderOffer,
}

/// The terms of a round and their hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    body: TermsBody,
    round_id: RoundId,
}

impl Terms {
    /// Joins both halves. What they may say is checked by [`TermsRules`].
    pub fn new(requester: Offer, responder: ResponderOffer) -> Self {
        let body = TermsBody {
            requester,
            responder,
        };
        let round_id = RoundId(h256(labels::ROUND, &[&encode(&body)]));
        Self { body, round_id }
    }

    /// The hash of these terms.
    pub fn round_id(&self) -> RoundId {
        self.round_id
    }

    /// The requester's half.
    pub fn offer(&self) -> &Offer {
        &self.body.requester
    }

    /// The responder's half.
    pub fn responder(&self) -> &ResponderOffer {
        &self.body.responder
    }

    /// Number of match-key types.
    pub fn key_types(&self) -> usize {
        self.body.requester.key_types.len()
    }

    /// Cells of the question, padding included.
    pub fn cells(&self) -> u64 {
        1 << self.body.requester.cells_class
    }

    /// Padded rows of one key type.
    pub fn rows(&self, key_type: u8) -> u64 {
        1 << self.body.responder.evaluation_classes[usize::from(key_type)]
    }

    /// Evaluations that the round costs, over all key types, padding included.
    pub fn evaluations(&self) -> u64 {
        self.body
            .responder
            .evaluation_classes
            .iter()
            .map(|class| 1_u64 << class)
            .sum()
    }

    /// Bytes of one cell.
    pub fn cell_bytes(&self) -> usize {
        usize::from(self.body.requester.tag_bytes) + crate::question::PAYLOAD_BYTES
    }

    /// For how long after the acknowledgement the responder takes no connection from the requester, so that
    /// the load of matching is no signal.
    pub fn quiet_ms(&self) -> u64 {
        quiet_ms(self.cells(), self.evaluations())
    }

    /// How long before a slot its answer is frozen.
    pub fn cutoff_s(&self, slot: u8) -> u64 {
        cutoff_s(self.body.requester.slots_s[usize::from(slot)])
    }

    /// When a slot is due, for a question acknowledged at `t0`.
    pub fn slot_time(&self, t0: u64, slot: u8) -> u64 {
        t0 + u64::from(self.body.requester.slots_s[usize::from(slot)])
    }

    /// Number of answer slots.
    pub fn slots(&self) -> u8 {
        u8::try_from(self.body.requester.slots_s.len())
            .expect("at most 8 slots, checked by TermsRules")
    }

    /// When the round closes, for a question acknowledged at `t0`.
    pub fn closes_at(&self, t0: u64) -> u64 {
        let offer = &self.body.requester;
        let last = offer.slots_s.last().copied().unwrap_or(0);
        t0 + u64::from(last) + u64::from(offer.fetch_window_s)
    }

    /// Until when the question may come, Unix seconds.
    pub fn question_deadline(&self) -> u64 {
        self.body.responder.time + u64::from(self.body.requester.question_deadline_s)
    }

    /// The domain separation tag of hashing to the group for one key type: nothing carries over to another
    /// agreement, pair, direction, purpose, rule set, key type or round.
    pub fn domain_tag(&self, key_type: u8) -> Vec<u8> {
        let offer = &self.body.requester;
        let context = h256(
            labels::CONTEXT,
            &[
                &offer.agreement.0,
                &offer.requester.0,
                &offer.responder.0,
                offer.purpose.as_bytes(),
                &offer.rules.0,
                &offer.suite.to_le_bytes(),
                offer.key_types[usize::from(key_type)].id.as_bytes(),
                &self.round_id.0,
            ],
        );
        [labels::DST_PREFIX, &context].concat()
    }

    /// The context of the proof of possession of one key.
    pub(crate) fn possession_context(&self, key_type: u8) -> Vec<u8> {
        framed(labels::POSSESSION_CONTEXT, &[&self.round_id.0, &[key_type]])
    }
}

impl Encode for Terms {
    fn encode<E: bincode::enc::Encoder>(
        &self,
        encoder: &mut E,
    ) -> Result<(), bincode::error::EncodeError> {
        self.body.encode(encoder)
    }
}

impl<C> Decode<C> for Terms {
    fn decode<D: bincode::de::Decoder<Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, bincode::error::DecodeError> {
        let body = TermsBody::decode(decoder)?;
        Ok(Self::new(body.requester, body.responder))
    }
}

bincode::impl_borrow_decode!(Terms);

fn quiet_ms(cells: u64, evaluations: u64) -> u64 {
    1_000 + (cells + evaluations) / 100
}

fn cutoff_s(slot_s: u32) -> u64 {
    (u64::from(slot_s) / 10).clamp(1, CUTOFF_MAX_S)
}

/// What an agreement prescribes for a round in one direction; both sides hold an offer against it.
#[derive(Clone, Debug)]
pub struct TermsRules {
    /// Hash of the agreement's exact bytes.
    pub agreement: Digest,
    /// The requester's signing key.
    pub requester: NodeKey,
    /// The responder's signing key.
    pub responder: NodeKey,
    /// The purpose code.
    pub purpose: String,
    /// The datasets that may be put as a question.
    pub requester_datasets: Vec<String>,
    /// The datasets that may be asked about.
    pub responder_datasets: Vec<String>,
    /// Hash of the linkage rules.
    pub rules: Digest,
    /// Match-key types in the agreement's order.
    pub key_types: Vec<String>,
    /// Fewest subjects of either set.
    pub subjects_min: u64,
    /// Most subjects of the requester's set.
    pub requester_subjects_max: u64,
    /// Most subjects of the responder's set.
    pub responder_subjects_max: u64,
    /// Most match keys of one subject.
    pub keys_per_subject_max: u64,
    /// Answer slots, seconds.
    pub slots_s: Vec<u32>,
    /// Places in an answer.
    pub max_release: u16,
    /// Bytes of a package.
    pub item_bytes: u32,
    /// Fetch window, seconds.
    pub fetch_window_s: u32,
    /// Deadline of the question, seconds.
    pub question_deadline_s: u32,
}

impl TermsRules {
    /// Bytes of a tag under these rules.
    pub fn tag_bytes(&self) -> u8 {
        tag_bytes(
            self.keys_max(self.requester_subjects_max),
            self.keys_max(self.responder_subjects_max),
        )
    }

    /// Bytes of every answer under these rules.
    pub fn answer_bytes(&self) -> usize {
        let place = place_bytes_for(self.key_types.len(), self.item_bytes);
        answer_bytes_for(self.max_release, place)
    }

    fn keys_max(&self, subjects_max: u64) -> u64 {
        subjects_max.saturating_mul(self.keys_per_subject_max)
    }

    /// Holds the requester's half against the agreement.
    pub fn check_offer(&self, offer: &Offer) -> Result<(), Refusal> {
        let ids = || offer.key_types.iter().map(|key_type| key_type.id.as_str());
        if offer.agreement != self.agreement {
            return Err(Refusal::UnknownAgreement);
        }
        if offer.suite != SUITE
            || offer.requester != self.requester
            || offer.responder != self.responder
        {
            return Err(Refusal::Violation);
        }
        if offer.purpose != self.purpose || offer.purpose.len() > NAME_BYTES_MAX {
            return Err(Refusal::Purpose);
        }
        if !self.requester_datasets.contains(&offer.requester_dataset)
            || !self.responder_datasets.contains(&offer.responder_dataset)
        {
            return Err(Refusal::Datasets);
        }
        if offer.rules != self.rules {
            return Err(Refusal::LinkageRules);
        }
        if offer.key_types.is_empty()
            || offer.key_types.len() > KEY_TYPES_MAX
            || !ids().eq(self.key_types.iter().map(String::as_str))
        {
            return Err(Refusal::KeyTypes);
        }
        self.check_subjects_class(offer.subjects_class, self.requester_subjects_max)?;
        self.check_keys_class(offer.cells_class, self.requester_subjects_max)?;
        if offer.tag_bytes != self.tag_bytes()
            || offer.slots_s != self.slots_s
            || offer.slots_s.is_empty()
            || offer.slots_s.len() > SLOTS_MAX
            || !offer.slots_s.is_sorted_by(|a, b| a < b)
            || offer.max_release != self.max_release
            || offer.item_bytes != self.item_bytes
            || offer.fetch_window_s != self.fetch_window_s
            || offer.question_deadline_s != self.question_deadline_s
        {
            return Err(Refusal::Slots);
        }
        if u64::from(offer.clock_skew_max_s) != CLOCK_SKEW_MAX_S {
            return Err(Refusal::Clock);
        }
        Ok(())
    }

    /// Holds the whole terms against the agreement.
    pub fn check(&self, terms: &Terms) -> Result<(), Refusal> {
        self.check_offer(terms.offer())?;
        let responder = terms.responder();
        if responder.rules != self.rules {
            return Err(Refusal::LinkageRules);
        }
        if responder.evaluation_classes.len() != terms.key_types() {
            return Err(Refusal::KeyTypes);
        }
        self.check_subjects_class(responder.subjects_class, self.responder_subjects_max)?;
        for &class in &responder.evaluation_classes {
            self.check_keys_class(class, self.responder_subjects_max)?;
        }
        let first_cutoff_ms = 1_000 * u64::from(self.slots_s[0]).saturating_sub(terms.cutoff_s(0));
        if first_cutoff_ms < terms.quiet_ms() {
            return Err(Refusal::Slots);
        }
        Ok(())
    }

    fn check_subjects_class(&self, class: u8, subjects_max: u64) -> Result<(), Refusal> {
        let at_least = size_class_log2(self.subjects_min).ok_or(Refusal::SetSize)?;
        let at_most = size_class_log2(subjects_max).ok_or(Refusal::SetSize)?;
        if (at_least..=at_most).contains(&class) {
            Ok(())
        } else {
            Err(Refusal::SetSize)
        }
    }

    fn check_keys_class(&self, class: u8, subjects_max: u64) -> Result<(), Refusal> {
        let at_most = size_class_log2(self.keys_max(subjects_max)).unwrap_or(CLASS_LOG2_MAX);
        if (CLASS_LOG2_MIN..=at_most).contains(&class) {
            Ok(())
        } else {
            Err(Refusal::SetSize)
        }
    }
}

/// The bound as it stands in the terms.
pub(crate) fn clock_skew_in_terms() -> u32 {
    u32::try_from(CLOCK_SKEW_MAX_S).expect("some minutes")
}

/// Refuses a peer whose clock is too far from ours.
pub(crate) fn check_clock(own: u64, peers: u64) -> Result<(), PeerFault> {
    let apart = own.abs_diff(peers);
    if apart > CLOCK_SKEW_MAX_S {
        Err(PeerFault::Clock(apart))
    } else {
        Ok(())
    }
}

/// Hash of an agreement's exact bytes.
pub fn agreement_digest(bytes: &[u8]) -> Digest {
    Digest(h256(labels::AGREEMENT, &[bytes]))
}

/// Salted commitment to a case reference.
pub(crate) fn case_commitment(salt: &[u8; 32], case_reference: &str) -> Digest {
    Digest(h256(labels::CASE, &[salt, case_reference.as_bytes()]))
}

/// Salted commitment to a dataset's digest: what the terms say of it. Whoever is shown the salt and the dataset can check
/// that it is the one; without the salt, two rounds over one dataset have nothing in common.
pub fn dataset_commitment(salt: &[u8; 32], dataset: &Digest) -> Digest {
    Digest(h256(labels::DATASET, &[salt, &dataset.0]))
}

/// Salted commitment to the root of a node's own ledger, carried in answers and receipts.
pub fn ledger_commitment(salt: &[u8; 32], root: &Digest) -> Digest {
    Digest(h256(labels::LEDGER, &[salt, &root.0]))
}

const _: () = assert!(
    CHUNK_ROWS.is_power_of_two(),
    "a class is whole chunks or less than one"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_powers_of_two_from_four_up() {
        let classes = [0, 1, 4, 5, 8, 9, 65_536, 65_537].map(|n| size_class_log2(n).unwrap());
        assert_eq!(classes, [2, 2, 2, 3, 3, 4, 16, 17]);
        assert_eq!(size_class_log2((1 << 30) + 1), None);
    }

    #[test]
    fn a_tag_is_long_enough_for_forty_bits_of_margin() {
        assert_eq!(tag_bytes(1 << 16, 1 << 16), 9);
        assert_eq!(tag_bytes(1 << 20, 1 << 24), 11);
    }

    #[test]
    fn the_cutoff_of_a_short_slot_is_a_tenth_of_it() {
        assert_eq!([8, 40, 86_400].map(cutoff_s), [1, 4, 300]);
    }
}
