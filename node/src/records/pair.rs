//! Pair logs: one per peer and direction.

use mandorla_store::Table;
use serde::{Deserialize, Serialize};

/// `<peer>/asked-by-us` or `<peer>/asked-by-them`.
pub(crate) const PAIR_LOGS: Table<&str, PairLogRecord> = Table::new("pair_logs");
/// (log, sequence number): leaves, hexadecimal.
pub(crate) const PAIR_LEAVES: Table<(&str, u64), String> = Table::new("pair_leaves");
/// (log, round on the wire in hexadecimal, kind · 256 + index): facts not yet in the log; leaves, hexadecimal.
pub(crate) const PAIR_PENDING: Table<(&str, &str, u64), String> = Table::new("pair_pending");

/// The state of a pair log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PairLogRecord {
    /// Hexadecimal of the tree's frontier; empty for the empty tree.
    pub tree: String,
    /// The last checkpoint with both signatures.
    pub note: Option<String>,
    /// At the requester: an offer that was sent and not yet countersigned.
    pub in_flight: Option<OfferRecord>,
    /// It comes from a backup, and the peer may know more of it: nothing is appended before it has been reconciled.
    #[serde(default)]
    pub restored: bool,
}

/// A pair offer, to be repeated until it is countersigned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OfferRecord {
    /// Round on the wire (hexadecimal), kind, index.
    pub facts: Vec<(String, u8, u8)>,
    pub note: String,
}
