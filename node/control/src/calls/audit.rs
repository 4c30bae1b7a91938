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

/// Ledger entries that fit: the last `limit` of them, in their order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AuditSearch {
    /// Only entries of this time or later, Unix seconds.
    #[serde(default)]
    pub since_s: Option<u64>,
    /// Only this event, or those whose names begin with it and a dot.
    #[serde(default)]
    pub event: Option<String>,
    /// Only entries of this round of this node.
    #[serde(default)]
    pub round: Option<String>,
    /// Only from this entry on; then the first that fit, not the last.
    #[serde(default)]
    pub from: Option<u64>,
    /// At most this many, 10,000 at the most.
    pub limit: u64,
}

/// The signed checkpoint over all entries: to be kept elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditCheckpoint {}

/// [`AuditVerify`], and whether the history still contains what a checkpoint kept elsewhere covers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditVerifyFrom {
    /// The note.
    pub checkpoint: String,
}

/// One entry with the proof that it is in the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditProve {
    /// Number of the entry.
    pub entry: u64,
}

/// Begins an export: everything but the entries and the leaves of pair logs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditExport {
    /// Entries before this time are represented by their hashes alone, Unix seconds.
    #[serde(default)]
    pub since_s: Option<u64>,
}

/// A piece of an export: entries of the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditExportEntries {
    /// From this entry on.
    pub from: u64,
    /// Up to this one, exclusive; as many as fit into a reply.
    pub to: u64,
    /// Below this entry, hashes alone.
    pub first: u64,
}

/// A piece of an export: leaves of a pair log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditExportFacts {
    /// Party code of the peer.
    pub peer: String,
    /// `we ask` or `they ask`.
    pub direction: String,
    /// From this fact on.
    pub from: u64,
    /// Up to this one, exclusive; as many as fit into a reply.
    pub to: u64,
}

/// Compares both pair logs with a peer, over the network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditReconcile {
    /// Party code of the peer.
    pub peer: String,
}

/// The words behind a `reason_commitment`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditReason {
    /// The commitment, 64 hexadecimal digits.
    pub commitment: String,
}

/// Erases the words behind a `reason_commitment`; the ledger still verifies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditEraseReason {
    /// The commitment, 64 hexadecimal digits.
    pub commitment: String,
}

calls! {
    "audit/verify" [Auditor, Operator] AuditVerify -> AuditReport;
    "audit/verify-from" [Auditor, Operator] AuditVerifyFrom -> AuditReport;
    "audit/log" [Auditor] AuditLog -> Vec<serde_json::Value>;
    "audit/search" [Auditor] AuditSearch -> Vec<serde_json::Value>;
    "audit/checkpoint" [Auditor, Operator] AuditCheckpoint -> CheckpointView;
    "audit/prove" [Auditor] AuditProve -> EntryProof;
    "audit/export" [Auditor] AuditExport -> ExportHeader;
    "audit/export-entries" [Auditor] AuditExportEntries -> ExportedEntries;
    "audit/export-facts" [Auditor] AuditExportFacts -> Vec<String>;
    "audit/reconcile" [Auditor, Operator] AuditReconcile -> ReconcileReport;
    "audit/reason" [Auditor] AuditReason -> ReasonView;
    "audit/erase-reason" [Operator] AuditEraseReason -> ReasonView;
}

/// A signed checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckpointView {
    /// Entries that it covers.
    pub size: u64,
    /// The note, in the form of C2SP `tlog-checkpoint`.
    pub checkpoint: String,
}

/// An entry, and all that it takes to verify it without a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EntryProof {
    /// Always 1.
    pub schema: u32,
    /// `mandorla-entry-proof`.
    pub format: String,
    /// Party code of the node.
    pub node: String,
    /// Its signing keys, the present one last, hexadecimal.
    pub keys: Vec<String>,
    /// Number of the entry.
    pub seq: u64,
    /// The exact bytes that its hash covers: JSON.
    pub leaf: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// Hashes of the audit path (RFC 9162 section 2.1.3), hexadecimal.
    pub proof: Vec<String>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// The beginning of an export.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportHeader {
    /// Always 1.
    pub schema: u32,
    /// `mandorla-ledger-export`.
    pub format: String,
    /// Party code of the node.
    pub node: String,
    /// Its agency.
    pub name: String,
    /// Its country.
    pub country: String,
    /// Its signing keys, the present one last, hexadecimal.
    pub keys: Vec<String>,
    /// When it was made, Unix seconds.
    pub exported_at: u64,
    /// The first entry that is there in full.
    pub first: u64,
    /// Entries in all.
    pub size: u64,
    /// The signed checkpoint over them.
    pub checkpoint: String,
    /// Agreements: exact texts and signatures.
    pub agreements: Vec<crate::AgreementPapers>,
    /// Pair logs, without their leaves.
    pub pair_logs: Vec<ExportedPairLog>,
}

/// A pair log in an export.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportedPairLog {
    /// Party code of the peer.
    pub peer: String,
    /// `we ask` or `they ask`.
    pub direction: String,
    /// Signing key of the requester, hexadecimal.
    pub requester: String,
    /// Signing key of the responder, hexadecimal.
    pub responder: String,
    /// Facts.
    pub size: u64,
    /// The last note with both signatures; absent for the empty log.
    pub note: Option<String>,
}

/// Entries of an export, and the checkpoints at their sizes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportedEntries {
    /// In their order, from the number asked for.
    pub entries: Vec<ExportedEntry>,
    /// Size and note.
    pub checkpoints: Vec<(u64, String)>,
}

/// An entry of an export: in full, or its hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportedEntry {
    /// The exact bytes that its hash covers: JSON.
    Leaf(String),
    /// The hash of an entry that was left out, hexadecimal.
    Hash(String),
}

/// The words of a reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReasonView {
    /// SHA-256(salt ‖ text), hexadecimal.
    pub commitment: String,
    /// 32 bytes, hexadecimal.
    pub salt: String,
    /// The words; empty once erased.
    pub text: String,
    /// Who gave them.
    pub by: String,
    /// When, Unix seconds.
    pub at: u64,
}

/// The outcome of a comparison with a peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReconcileReport {
    /// Always 1.
    pub schema: u32,
    /// Party code of the peer.
    pub peer: String,
    /// No fault found.
    pub in_step: bool,
    /// Both logs.
    pub logs: Vec<ReconciledLog>,
    /// Faults, each naming its fact or size.
    pub faults: Vec<String>,
}

/// One pair log, compared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReconciledLog {
    /// `we ask` or `they ask`.
    pub direction: String,
    /// `in step`, `peer behind`, `adopted`, or the fault in a word.
    pub outcome: String,
    /// Facts in this node's copy.
    pub own_facts: u64,
    /// Facts in the peer's copy.
    pub peer_facts: u64,
    /// Facts that wait here: they settle with the next exchange of their round.
    pub pending: u64,
    /// Facts that waited and were dropped: the peer does not know them, and their rounds are over.
    pub dropped: Vec<String>,
    /// What is wrong.
    pub fault: Option<String>,
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
