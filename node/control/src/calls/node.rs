//! `mandorla status`, `mandorla node …`.

use serde::{Deserialize, Serialize};

use crate::call::calls;
use crate::check::CheckView;

/// What the node is and does right now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {}

/// Asks the daemon to stop: rounds pause at a durable point.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeStop {}

/// Makes the checks that only the running node can make: of its store, history, agreements, datasets and peers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeDoctor {
    /// Party code of the one peer to connect to; all if not given.
    pub peer: Option<String>,
}

calls! {
    "node/doctor" [Operator] NodeDoctor -> Vec<CheckView>;
    "node/status" [] Status -> StatusReply;
    "node/stop" [Operator] NodeStop -> Stopped;
}

/// The node at a glance. It holds no personal data and no count of hits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusReply {
    /// Always 1.
    pub schema: u32,
    /// Name given at `init`.
    pub node: String,
    /// Party code in agreements.
    pub country: String,
    /// First 16 hexadecimal digits of the hash of the node's card.
    pub fingerprint: String,
    /// Program version.
    pub version: String,
    /// Process id of the daemon.
    pub pid: u32,
    /// Where it listens for peers (UDP).
    pub listen: String,
    /// Kernel level in use.
    pub kernel: String,
    /// How the node's keys are sealed on its disk: `passphrase`, `credential` or `none`.
    pub keys_sealed_under: String,
    /// Peers known.
    pub peers: u32,
    /// Agreements in state live.
    pub agreements_live: u32,
    /// Datasets loaded.
    pub datasets: u32,
    /// Own rounds that are not closed.
    pub rounds_open: u32,
    /// Rounds that wait for an own authoriser.
    pub rounds_waiting_for_approval: u32,
    /// Items that wait at the authoriser's desk; only for who may see the desk.
    pub items_due: Option<u32>,
    /// When the next answer is due, of own and peers' rounds, Unix seconds.
    pub next_slot: Option<u64>,
    /// When each peer was last connected.
    pub peers_seen: Vec<PeerSeen>,
    /// Free bytes on the data directory's disk.
    pub disk_free_bytes: Option<u64>,
    /// Entries of the ledger.
    pub ledger_entries: u64,
    /// What keeps the node from doing its work; empty if it is healthy.
    pub faults: Vec<String>,
    /// Seconds since the daemon started.
    pub uptime_s: u64,
    /// The caller's name and roles, as the node sees them.
    pub user: String,
    /// The caller's roles.
    pub roles: Vec<String>,
}

/// A peer and its last authenticated connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerSeen {
    /// Party code.
    pub peer: String,
    /// Unix seconds; nothing if it never connected.
    pub last_seen: Option<u64>,
}

/// The daemon is stopping.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stopped {
    /// Process id that is going away.
    pub pid: u32,
}
