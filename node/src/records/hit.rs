//! Hits: at the responder, those found and what was decided; at the requester, those released to it.

use mandorla_store::Table;
use serde::{Deserialize, Serialize};

/// (round, hit id): hits on own records, at the responder.
pub(crate) const HITS: Table<(&str, &str), HitRecord> = Table::new("hits");
/// Hit id → round, at the responder.
pub(crate) const HIT_ROUNDS: Table<&str, String> = Table::new("hit_rounds");
/// Hit id: released hits, at the requester.
pub(crate) const RELEASED: Table<&str, ReleasedRecord> = Table::new("released");

/// A hit on an own subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HitRecord {
    pub id: String,
    pub own_subject: u64,
    pub own_reference: String,
    pub subject_number: u32,
    pub own_key_types: u32,
    pub peer_key_types: u32,
    /// Erased at close.
    pub agreed: Vec<AgreedRecord>,
    pub grade: String,
    pub decision: Option<DecisionRecord>,
    /// A first officer's release where two are needed.
    pub first_release: Option<FirstRelease>,
}

impl HitRecord {
    pub(crate) fn agreed_types(&self) -> u32 {
        self.agreed
            .iter()
            .fold(0, |mask, agreed| mask | 1 << agreed.key_type)
    }
}

/// The first of two officers released it, without some fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FirstRelease {
    pub by: String,
    /// The officer's account, where it is known.
    #[serde(default)]
    pub by_uid: Option<u32>,
    pub dropped: Vec<String>,
}

/// A match key that agrees.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AgreedRecord {
    pub key_type: u8,
    /// Hexadecimal of the match key, to order by.
    pub match_key: String,
    /// Hexadecimal.
    pub hit_key: String,
}

/// A decision on a hit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DecisionRecord {
    /// `released`, `redacted`, `refused`.
    pub kind: String,
    pub by: String,
    /// The code of a refusal; of a release, the commitment to the officer's words.
    pub reason: String,
    pub at: u64,
    /// Names of the fields that leave.
    pub fields: Vec<String>,
    pub slot: Option<u8>,
    /// Hexadecimal of the sealed place; erased at close.
    pub place: Option<String>,
}

/// A hit that the peer released to us.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReleasedRecord {
    pub id: String,
    pub round: String,
    pub own_subject: u64,
    pub own_reference: String,
    pub proven_types: u32,
    pub conflicting_types: u32,
    pub grade: String,
    pub fields: Vec<(String, Vec<String>)>,
    pub handling: String,
    pub at: u64,
}
