//! `mandorla key …`.

use serde::{Deserialize, Serialize};

use crate::call::calls;

/// The node's keys and what each is good for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyList {}

/// Makes new keys and tells every peer; again, goes on with a change that was begun.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyRotate {
    /// How long the old keys are good beside the new ones, seconds; of a change that was begun, what it began with.
    pub overlap_s: u64,
    /// Peers that are not waited for.
    pub without: Vec<String>,
}

/// Takes all trust from the present keys, makes new ones and stops the node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyRevoke {
    /// Why, in words: the ledger commits to them, and they stay on this node.
    pub reason: String,
}

calls! {
    "key/list" [Operator, Auditor] KeyList -> KeysView;
    "key/rotate" [Operator] KeyRotate -> KeysView;
    "key/revoke" [Operator] KeyRevoke -> KeysRevoked;
}

/// The keys of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeysView {
    /// Always 1.
    pub schema: u32,
    /// How they are sealed on the disk: `passphrase`, `credential` or `none`.
    pub sealed_under: String,
    /// Key sets, the oldest first.
    pub keys: Vec<KeyView>,
    /// The new keys take over at the next start of the node.
    pub restart_needed: bool,
    /// The next command, if one is due.
    pub next: Option<String>,
}

/// One key set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyView {
    /// Counts the node's key sets.
    pub sequence: u32,
    /// `current`, `next` (not yet known to every peer), `former` (good beside the current one until its overlap ends),
    /// `erased` or `revoked`.
    pub state: String,
    /// This process works with it.
    pub in_use: bool,
    /// Public keys, hexadecimal.
    pub signing_key: String,
    /// See there.
    pub transport_key: String,
    /// See there.
    pub release_key: String,
    /// End of the overlap, Unix seconds.
    pub until: Option<u64>,
    /// Peers that countersigned it.
    pub countersigned_by: Vec<String>,
    /// Peers that did not yet, and why not where that is known.
    pub waits_for: Vec<WaitsFor>,
}

/// A peer that does not know the new keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WaitsFor {
    /// Party code.
    pub peer: String,
    /// What the last attempt came to.
    pub why: Option<String>,
}

/// What a revocation did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeysRevoked {
    /// Fingerprint of the new card.
    pub fingerprint: String,
    /// Agreements that were suspended.
    pub suspended: Vec<String>,
    /// Rounds that were ended.
    pub ended: Vec<String>,
    /// What has to be done now, in this order.
    pub next: Vec<String>,
}
