//! `mandorla status`, `mandorla node …`.

use serde::{Deserialize, Serialize};

use crate::call::calls;

/// What the node is and does right now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {}

/// Asks the daemon to stop: rounds pause at a durable point.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeStop {}

calls! {
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
    /// Seconds since the daemon started.
    pub uptime_s: u64,
    /// The caller's name and roles, as the node sees them.
    pub user: String,
    /// The caller's roles.
    pub roles: Vec<String>,
}

/// The daemon is stopping.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stopped {
    /// Process id that is going away.
    pub pid: u32,
}
