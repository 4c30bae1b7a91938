//! Peers.

use mandorla_store::Table;
use serde::{Deserialize, Serialize};

/// By party code.
pub(crate) const PEERS: Table<&str, PeerRecord> = Table::new("peers");

/// A peer's card, as added.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PeerRecord {
    pub code: String,
    pub name: String,
    pub country: String,
    /// Host and port (UDP).
    pub address: String,
    /// Hexadecimal, as in the agreement.
    pub signing_key: String,
    pub transport_key: String,
    pub release_key: String,
    pub fingerprint: String,
    pub verified: bool,
    pub last_seen: Option<u64>,
}
