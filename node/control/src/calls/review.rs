//! `mandorla review …`: the authoriser's desk.

use serde::{Deserialize, Serialize};

use crate::call::calls;

/// What waits for a decision.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReviewInbox {}

/// One item: an outgoing round (`R-…`) or a hit on an own record (`H-…`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReviewShow {
    /// Id of the item.
    pub item: String,
}

/// Approves sending the question of an own round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReviewApprove {
    /// Id of the round.
    pub round: String,
    /// Why, for the ledger.
    pub reason: String,
}

/// Declines an own round: it ends, and the peer is told that no question comes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReviewDecline {
    /// Id of the round.
    pub round: String,
    /// Why, for the ledger.
    pub reason: String,
}

/// Releases a hit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReviewRelease {
    /// Id of the hit.
    pub hit: String,
    /// Why, for the ledger.
    pub reason: String,
    /// Fields that stay here; the match keys made from them stay too.
    pub drop: Vec<String>,
}

/// Refuses a hit. The requester cannot tell it from no match.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReviewRefuse {
    /// Id of the hit.
    pub hit: String,
    /// Reason code, for the ledger: one of [`REFUSAL_REASONS`].
    pub reason: String,
}

/// Why a hit may be refused. A closed list: the code stands in the ledger, where no words of a person may.
pub const REFUSAL_REASONS: [&str; 8] = [
    "not-the-same-person",
    "insufficient-evidence",
    "no-legal-basis",
    "person-at-risk",
    "protected-source",
    "ongoing-operation",
    "excluded-category",
    "other",
];

calls! {
    "review/inbox" [Authoriser, Auditor] ReviewInbox -> Vec<InboxEntry>;
    "review/show" [Authoriser, Auditor] ReviewShow -> ReviewItem;
    "review/approve" [Authoriser] ReviewApprove -> Decided;
    "review/decline" [Authoriser] ReviewDecline -> Decided;
    "review/release" [Authoriser] ReviewRelease -> Decided;
    "review/refuse" [Authoriser] ReviewRefuse -> Decided;
}

/// A line of the inbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InboxEntry {
    /// Id: a round to approve or a hit to decide on.
    pub item: String,
    /// `round` or `hit`.
    pub kind: String,
    /// Party code of the peer.
    pub peer: String,
    /// Round on this node.
    pub round: String,
    /// Purpose code.
    pub purpose: String,
    /// Case reference.
    pub case_reference: String,
    /// Grade of a hit.
    pub grade: Option<String>,
    /// Match keys that agreed (hits only).
    pub match_keys: Vec<String>,
    /// Decide until, Unix seconds; then it counts as refused (hit) or lapsed (round).
    pub due: u64,
    /// Things to know: second officer needed, many pairs, default date, …
    pub flags: Vec<String>,
}

/// Everything on one page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReviewItem {
    /// The line of the inbox.
    pub entry: InboxEntry,
    /// `undecided`, `approved`, `declined`, `released`, `redacted`, `refused`.
    pub decision: String,
    /// Own record: field and values (hits only).
    pub own_record: Vec<FieldView>,
    /// Match keys that agreed, in words.
    pub evidence: Vec<String>,
    /// What would leave on a full release.
    pub would_leave: Vec<FieldView>,
    /// Fields that the agreement forbids.
    pub forbidden: Vec<String>,
    /// Sizes and quotas, in words (rounds).
    pub numbers: Vec<String>,
    /// Own subjects that the same requester's subject also shares match keys with: ids of their hits.
    pub same_requester_subject: Vec<String>,
}

/// A field and its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldView {
    /// Field name.
    pub field: String,
    /// Its values.
    pub values: Vec<String>,
}

/// A decision was taken and is durable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decided {
    /// Id of the round or hit.
    pub item: String,
    /// `approved`, `declined`, `released`, `redacted`, `refused`.
    pub decision: String,
    /// What it means, in words: slot, fields, match keys that stay.
    pub effect: Vec<String>,
}
