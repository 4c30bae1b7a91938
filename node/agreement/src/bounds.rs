//! Every bound of an agreement, with the reason for its value.

/// The only schema this version reads and writes.
pub const SCHEMA: u32 = 1;

/// An agreement is read by people; a file above this is not one, and the peer sent it.
pub const AGREEMENT_BYTES_MAX: usize = 256 * 1024;

/// Longest text of one field: about two printed pages, so that a clause can be shown in full.
pub const TEXT_CHARS_MAX: usize = 4_000;

/// Longest identifier: it must fit into a table column and a file name.
pub const ID_CHARS_MAX: usize = 64;

/// Most entries of any list in an agreement.
pub const LIST_ENTRIES_MAX: usize = 256;

/// Most match keys: a cell's payload has one bit per key type in four bytes.
pub const MATCH_KEYS_MAX: usize = mandorla_linkage::MATCH_KEY_RULES_MAX;

/// Most match keys that one subject may have over all its identities; the cut is reported at load.
pub const KEYS_PER_SUBJECT_MAX: u32 = 64;

/// Most subjects a side may bring: with [`KEYS_PER_SUBJECT_MAX`] keys each, counts stay within 2^30,
/// the largest size class.
pub const SET_SUBJECTS_MAX: u64 = 1 << 24;

/// Longest tag, in bytes.
pub const TAG_BYTES_MAX: u32 = 16;

/// Smallest size class, as an exponent: a padded size of 4.
pub const SIZE_CLASS_LOG2_MIN: u8 = 2;

/// A false cell match happens with probability at most 2^-40 in a whole round.
pub const TAG_MARGIN_BITS: u32 = 40;

/// Most rounds a day: one every ten minutes is already automatic use.
pub const ROUNDS_PER_DAY_MAX: u32 = 144;

/// Most answer slots of a round: an answer is made and served for each.
pub const SLOTS_MAX: usize = 8;

/// Shortest distance between slots, and of the first from the question: below it the cut-off of the next slot would
/// leave an officer no time.
pub const SLOT_GAP_S_MIN: u64 = 4;

/// Longest answer slot, 30 days: an answer after that is a new case.
pub const SLOT_S_MAX: u64 = 30 * 86_400;

/// How long before a slot the answer is frozen, unless the slots are close together.
pub const CUTOFF_LEAD_S_MAX: u64 = 300;

/// Longest time an answer waits to be fetched after its slot, 14 days.
pub const FETCH_WINDOW_S_MAX: u64 = 14 * 86_400;

/// Longest time the requester's authoriser may take to decide on the question, 30 days.
pub const QUESTION_DEADLINE_S_MAX: u64 = 30 * 86_400;

/// Most places in an answer: each is transferred whether used or not.
pub const RELEASE_PLACES_MAX: u32 = 10_000;

/// Smallest place for one item: its fixed part and a few fields.
pub const ITEM_BYTES_MIN: u32 = 256;

/// Largest place for one item.
pub const ITEM_BYTES_MAX: u32 = 65_536;

/// Most bytes of one answer: both sides hold it in memory.
pub const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of a place beside its proofs and its package: kind, item id, subject number, proven types (25), cipher tag
/// (16), signature (64).
pub const PLACE_FIXED_BYTES: u32 = 105;

/// Bytes of the proof of one match key in a place.
pub const PLACE_PROOF_BYTES: u32 = 32;

/// Bytes of an answer beside its places: header (79) and signature (64).
pub const ANSWER_FIXED_BYTES: u64 = 143;

/// Room in a package for each field disclosed, in bytes beside its name: two short values with their lengths.
pub const PACKAGE_FIELD_BYTES: u32 = 64;

/// Longest quota period, 366 days.
pub const QUOTA_PERIOD_S_MAX: u64 = 366 * 86_400;

/// Largest margin worth writing: above it no match key leaves an evaluation.
pub const GUESS_MARGIN_BITS_MAX: u32 = 64;

/// Largest min-entropy claimed for a match key.
pub const MATCH_KEY_BITS_MAX: u16 = 128;

/// Longest minimum interval between rounds, 366 days.
pub const MIN_INTERVAL_S_MAX: u64 = 366 * 86_400;

/// Largest number of days in any retention or age clause: 100 years.
pub const DAYS_MAX: u32 = 36_525;
