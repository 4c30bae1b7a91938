//! One direction of an agreement: who asks, whose records are asked about, and the caps that follow.

use mandorla_linkage::MatchKeyRule;

use crate::Agreement;
use crate::bounds::{
    CUTOFF_LEAD_S_MAX, PLACE_FIXED_BYTES, PLACE_PROOF_BYTES, SIZE_CLASS_LOG2_MIN, TAG_MARGIN_BITS,
};
use crate::terms::{Answer, Disclosure, EvaluationQuota, Limits, Party, Review, Terms};
use crate::time::Duration;

/// `A_to_B` of an agreement: A asks, B's records are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Direction<'a> {
    terms: &'a Terms,
    requester: &'a Party,
    responder: &'a Party,
    limits: &'a Limits,
    disclosure: &'a Disclosure,
}

impl<'a> Direction<'a> {
    pub(crate) fn find(agreement: &'a Agreement, requester: &str, responder: &str) -> Option<Self> {
        let terms = agreement.terms();
        let name = direction_name(requester, responder);
        Some(Self {
            terms,
            requester: agreement.party(requester)?,
            responder: agreement.party(responder)?,
            limits: terms.limits.get(&name)?,
            disclosure: terms.disclosure.get(&name)?,
        })
    }

    /// `A_to_B`, as clauses write it.
    pub fn name(&self) -> String {
        direction_name(&self.requester.code, &self.responder.code)
    }

    /// Who asks.
    pub const fn requester(&self) -> &'a Party {
        self.requester
    }

    /// Whose records are asked about.
    pub const fn responder(&self) -> &'a Party {
        self.responder
    }

    /// Id of the agreement.
    pub(crate) fn agreement_id(&self) -> &'a str {
        &self.terms.id
    }

    /// Length of the agreement's life in seconds.
    pub(crate) fn life_s(&self) -> u64 {
        let start_s = self.terms.not_before.as_s();
        self.terms.expires.as_s().saturating_sub(start_s)
    }

    /// How the responder decides.
    pub fn responder_review(&self) -> &'a Review {
        &self.terms.review[&self.responder.code]
    }

    /// Caps.
    pub const fn limits(&self) -> &'a Limits {
        self.limits
    }

    /// What may be released.
    pub const fn disclosure(&self) -> &'a Disclosure {
        self.disclosure
    }

    /// When and in what size answers come.
    pub const fn answer(&self) -> &'a Answer {
        &self.terms.answer
    }

    /// Most subjects in a question.
    pub const fn requester_subjects_max(&self) -> u64 {
        self.limits.max_set
    }

    /// Most subjects of the responder in a round.
    pub fn responder_subjects_max(&self) -> u64 {
        responder_subjects_max(self.terms, self.limits, &self.responder.code)
    }

    /// Most match keys of one subject.
    pub fn keys_per_subject_max(&self) -> u32 {
        keys_per_subject_max(self.terms, self.limits)
    }

    /// log2 of the most cells in a question: the size class of `max_set · keys_per_subject_max`.
    pub fn cells_log2_max(&self) -> u8 {
        class_log2(self.requester_subjects_max() * u64::from(self.keys_per_subject_max()))
    }

    /// log2 of the most keys that the responder looks up: the size class of its subjects times `keys_per_subject_max`.
    pub fn evaluations_log2_max(&self) -> u8 {
        class_log2(self.responder_subjects_max() * u64::from(self.keys_per_subject_max()))
    }

    /// Width of a cell's tag in bits: `⌈log2 cells_max⌉ + ⌈log2 evaluations_max⌉ + 40`, rounded up to whole bytes,
    /// with `cells_max` and `evaluations_max` = subjects · keys per subject of the requester and the responder (section
    /// 2 of the protocol).
    ///
    /// At most `evaluations_max` look-ups against at most the next power of two of `cells_max` tags give a chance hit
    /// in a round with probability below 2^-40, from caps of 4 cells on. Padding adds no look-ups.
    pub fn tag_bits(&self) -> u32 {
        let keys_log2 =
            |subjects: u64| ceil_log2(subjects * u64::from(self.keys_per_subject_max()));
        let log2 =
            keys_log2(self.requester_subjects_max()) + keys_log2(self.responder_subjects_max());
        (log2 + TAG_MARGIN_BITS).next_multiple_of(8)
    }

    /// [`Self::tag_bits`] in bytes.
    pub fn tag_bytes(&self) -> u8 {
        (self.tag_bits() / 8) as u8
    }

    /// The quota of a match key.
    pub fn evaluations(&self, match_key: &str) -> Option<&'a EvaluationQuota> {
        self.limits.evaluations.get(match_key)
    }

    /// The match keys, by type number.
    pub fn match_keys(&self) -> &'a [MatchKeyRule] {
        &self.terms.match_key
    }
}

impl Answer {
    /// The slots in seconds after the acknowledged question, ascending.
    pub fn slots_s(&self) -> Vec<u64> {
        self.slots.iter().map(|slot| slot.as_s()).collect()
    }

    /// The last slot, in seconds after the acknowledged question.
    pub fn last_slot_s(&self) -> u64 {
        self.slots.last().map_or(0, |slot| slot.as_s())
    }

    /// How long an answer can be fetched after its slot, in seconds.
    pub fn fetch_window_s(&self) -> u64 {
        self.fetch_window.map_or_else(
            || u64::from(self.fetch_hours.unwrap_or(0)) * 3_600,
            Duration::as_s,
        )
    }

    /// How long before the slot at `slot_s` the answer is frozen: 5 minutes, or a tenth of the slot where that is
    /// less, and at least a second.
    pub fn cutoff_lead_s(slot_s: u64) -> u64 {
        (slot_s / 10).clamp(1, CUTOFF_LEAD_S_MAX)
    }

    /// Longest life of a round, in seconds from its terms: deadline of the question, last slot, fetch window.
    pub fn round_s_max(&self) -> u64 {
        self.question_deadline.as_s() + self.last_slot_s() + self.fetch_window_s()
    }

    /// Size of a place in an answer with this many match keys, in bytes.
    pub fn place_bytes(&self, match_key_count: usize) -> u64 {
        u64::from(PLACE_FIXED_BYTES)
            + u64::from(PLACE_PROOF_BYTES) * match_key_count as u64
            + u64::from(self.item_bytes)
    }
}

pub(crate) fn direction_name(requester: &str, responder: &str) -> String {
    format!("{requester}_to_{responder}")
}

pub(crate) fn responder_subjects_max(terms: &Terms, limits: &Limits, responder: &str) -> u64 {
    limits.responder_max_set.unwrap_or_else(|| {
        let own = terms
            .dataset
            .iter()
            .filter(|dataset| dataset.party == responder);
        own.map(|dataset| dataset.max_records).max().unwrap_or(0)
    })
}

pub(crate) fn keys_per_subject_max(terms: &Terms, limits: &Limits) -> u32 {
    limits
        .keys_per_subject_max
        .unwrap_or(terms.match_key.len() as u32)
}

/// The smallest `e ≥ 2` with `2^e ≥ n`.
pub(crate) fn class_log2(n: u64) -> u8 {
    (ceil_log2(n) as u8).max(SIZE_CLASS_LOG2_MIN)
}

const fn ceil_log2(n: u64) -> u32 {
    if n <= 1 {
        0
    } else {
        u64::BITS - (n - 1).leading_zeros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_the_next_power_of_two_and_at_least_four() {
        let classes = [
            (0, 2),
            (1, 2),
            (4, 2),
            (5, 3),
            (8, 3),
            (9, 4),
            (1000, 10),
            (1024, 10),
            (1025, 11),
            (u64::MAX, 64),
        ];
        for (n, class) in classes {
            assert_eq!(class_log2(n), class, "{n}");
        }
    }

    #[test]
    fn the_cut_off_is_five_minutes_or_a_tenth_of_the_slot() {
        for (slot_s, lead_s) in [(4, 1), (8, 1), (60, 6), (3_000, 300), (86_400, 300)] {
            assert_eq!(Answer::cutoff_lead_s(slot_s), lead_s);
        }
    }
}
