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
    /// Number of the last succession that led to the present keys.
    #[serde(default)]
    pub sequence: u32,
    /// The keys before the present ones, oldest first.
    #[serde(default)]
    pub former: Vec<FormerKeys>,
    /// When trust in the present keys was taken away, Unix seconds.
    #[serde(default)]
    pub revoked_at: Option<u64>,
    /// The last succession that was accepted, its bytes in hexadecimal.
    #[serde(default)]
    pub last_succession: Option<String>,
}

/// Keys that a peer had before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FormerKeys {
    pub signing_key: String,
    pub transport_key: String,
    pub release_key: String,
    /// End of the overlap, Unix seconds.
    pub until: u64,
    /// Nothing that names them is good any more.
    pub revoked: bool,
}
