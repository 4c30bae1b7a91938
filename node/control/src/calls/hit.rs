//! `mandorla hit …`: released hits at the requester.

use serde::{Deserialize, Serialize};

use crate::call::calls;
use crate::calls::FieldView;

/// Released hits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HitList {
    /// Of one round only.
    pub round: Option<String>,
}

/// One released hit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HitShow {
    /// Id of the hit.
    pub hit: String,
}

calls! {
    "hit/list" [Analyst, Authoriser, Auditor] HitList -> Vec<HitView>;
    "hit/show" [Analyst, Authoriser, Auditor] HitShow -> HitView;
}

/// A released hit: an own subject, and what the peer released of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HitView {
    /// The same id on both nodes.
    pub id: String,
    /// Round on this node.
    pub round: String,
    /// Party code of the peer.
    pub peer: String,
    /// Reference of the own subject.
    pub own_reference: String,
    /// Own record.
    pub own_record: Vec<FieldView>,
    /// Grade, from the proven match keys.
    pub grade: String,
    /// Proven match keys.
    pub match_keys: Vec<String>,
    /// What agreed, in words.
    pub explanation: Vec<String>,
    /// What the peer released.
    pub released: Vec<FieldView>,
    /// Handling code.
    pub handling: String,
    /// When the answer came, Unix seconds.
    pub received_at: u64,
}
