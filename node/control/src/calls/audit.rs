//! `mandorla audit …`.

use serde::{Deserialize, Serialize};

use crate::call::calls;

/// Recomputes the ledger and every pair log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditVerify {}

/// Ledger entries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditLog {
    /// From this entry on.
    pub from: u64,
    /// At most this many, 10,000 at the most.
    pub limit: u64,
}

calls! {
    "audit/verify" [Auditor, Operator] AuditVerify -> AuditReport;
    "audit/log" [Auditor] AuditLog -> Vec<serde_json::Value>;
}

/// The outcome of a verification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditReport {
    /// Always 1.
    pub schema: u32,
    /// No fault found.
    pub verified: bool,
    /// Ledger entries.
    pub entries: u64,
    /// Root, hexadecimal.
    pub root: String,
    /// Pair logs: peer, direction, facts, whether the last checkpoint carries both signatures.
    pub pair_logs: Vec<PairLogView>,
    /// Faults, each naming its entry.
    pub faults: Vec<String>,
}

/// One pair log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PairLogView {
    /// Party code of the peer.
    pub peer: String,
    /// `we ask` or `they ask`.
    pub direction: String,
    /// Facts.
    pub facts: u64,
    /// Facts not yet countersigned by both.
    pub pending: u64,
    /// Root, hexadecimal.
    pub root: String,
    /// Whether the last checkpoint carries both signatures.
    pub countersigned: bool,
}
