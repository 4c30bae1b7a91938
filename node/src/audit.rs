//! Reading, recomputing, proving and exporting the node's own history, and comparing pair logs with peers.
//!
//! ```text
//!   log, search ─► entries         verify (from a checkpoint kept elsewhere) ─► every hash, root, signature, fact
//!   prove ─► one entry, its path, a checkpoint        export ─► everything, checked by `bundle` without a node
//! ```

pub(crate) mod bundle;
mod export;
mod reasons;

use std::sync::Arc;

use mandorla_control::{
    ApiError, AuditCheckpoint, AuditLog, AuditProve, AuditReconcile, AuditReport, AuditSearch,
    AuditVerify, AuditVerifyFrom, Call as _, CheckpointView, EntryProof, ErrorCode, PairLogView,
    ReconcileReport,
};
use mandorla_protocol::checkpoint::{Checkpoint, SignedNote};
use mandorla_store::{LedgerFault, LedgerReader, StoreError};
use serde_json::Value;

use crate::node::{Caller, Node, storage};
use crate::rounds::{pair_audit, reconcile};
use crate::server::{Routes, Serve, ServeBlocking};

/// Most entries of one reply: some five megabytes of JSON.
const ENTRIES_MAX: u64 = 10_000;

/// Most bytes of one reply; what is left is asked for with the next `from`.
const LOG_BYTES_MAX: usize = 32 << 20;

pub(crate) fn routes(routes: Routes) -> Routes {
    let routes = routes
        .call::<AuditVerify>()
        .call::<AuditVerifyFrom>()
        .call::<AuditLog>()
        .call::<AuditSearch>()
        .call::<AuditCheckpoint>()
        .call::<AuditProve>()
        .call::<AuditReconcile>();
    reasons::routes(export::routes(routes))
}

impl ServeBlocking for AuditVerify {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<AuditReport, ApiError> {
        verify(node, &[])
    }
}

impl ServeBlocking for AuditVerifyFrom {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<AuditReport, ApiError> {
        let refused = |why: &str| {
            let message = format!("the checkpoint cannot be used: {why}");
            ApiError::new(ErrorCode::BadFile, message)
                .hint("give a file that `mandorla audit checkpoint -o FILE` of this node made")
        };
        let note = SignedNote::parse(&self.checkpoint).map_err(|e| refused(&e.to_string()))?;
        let known = Checkpoint::parse(note.text()).map_err(|e| refused(&e.to_string()))?;
        let verifier = node.store.ledger_verifier();
        verifier
            .check(known.size(), &self.checkpoint)
            .map_err(|fault| refused(&with_cause(&fault)))?;
        verify(node, &[known])
    }
}

fn verify(node: &Node, known: &[Checkpoint]) -> Result<AuditReport, ApiError> {
    let (pair_logs, mut faults): (Vec<PairLogView>, _) =
        pair_audit::audit(node).map_err(storage)?;
    let (entries, root) = match node.store.verify_ledger(known) {
        Ok(report) => (report.entries, hex::encode(report.root)),
        Err(fault) => {
            faults.insert(0, format!("ledger: {}", with_cause(&fault)));
            (0, String::new())
        }
    };
    Ok(AuditReport {
        schema: 1,
        verified: faults.is_empty(),
        entries,
        root,
        pair_logs,
        faults,
    })
}

fn with_cause(fault: &LedgerFault) -> String {
    match std::error::Error::source(fault) {
        Some(cause) => format!("{fault}: {cause}"),
        None => fault.to_string(),
    }
}

impl ServeBlocking for AuditLog {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<Vec<Value>, ApiError> {
        let search = AuditSearch {
            from: Some(self.from),
            limit: self.limit,
            ..AuditSearch::default()
        };
        find(node, &search)
    }
}

impl ServeBlocking for AuditSearch {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<Vec<Value>, ApiError> {
        find(node, &self)
    }
}

/// Without `from`, from the end backwards, so that the last entries come and a long ledger is not read whole.
fn find(node: &Node, search: &AuditSearch) -> Result<Vec<Value>, ApiError> {
    let tx = node.store.read().map_err(storage)?;
    let ledger = tx.ledger().map_err(storage)?;
    let limit = usize::try_from(search.limit.min(ENTRIES_MAX)).expect("at most 10,000");
    let mut found = Vec::new();
    let mut bytes = 0;
    let mut visit = |seq| -> Result<bool, ApiError> {
        let leaf = ledger.leaf_bytes(seq).map_err(storage)?;
        let entry: Value = serde_json::from_slice(&leaf).map_err(|_| {
            let message = format!("ledger entry {seq} is not readable");
            ApiError::new(ErrorCode::FaultFound, message).hint("mandorla audit verify")
        })?;
        if fits(&entry, search) {
            bytes += leaf.len();
            if bytes > LOG_BYTES_MAX {
                return Ok(false);
            }
            found.push(entry);
        }
        Ok(found.len() < limit)
    };
    let last = ledger.size();
    match search.from {
        _ if limit == 0 => {}
        Some(from) => {
            for seq in from..last {
                if !visit(seq)? {
                    break;
                }
            }
        }
        None => {
            for seq in (0..last).rev() {
                if !visit(seq)? {
                    break;
                }
            }
            found.reverse();
        }
    }
    Ok(found)
}

fn fits(entry: &Value, search: &AuditSearch) -> bool {
    let time_s = entry["time_unix_s"].as_u64().unwrap_or(0);
    let event = entry["event"].as_str().unwrap_or_default();
    search.since_s.is_none_or(|since| time_s >= since)
        && search.event.as_deref().is_none_or(|wanted| {
            event
                .strip_prefix(wanted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
        && search
            .round
            .as_deref()
            .is_none_or(|round| entry["round"] == round)
}

impl ServeBlocking for AuditCheckpoint {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<CheckpointView, ApiError> {
        let tx = node.store.read().map_err(storage)?;
        let ledger = tx.ledger().map_err(storage)?;
        Ok(CheckpointView {
            size: ledger.size(),
            checkpoint: ledger.latest_checkpoint().map_err(storage)?,
        })
    }
}

impl ServeBlocking for AuditProve {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<EntryProof, ApiError> {
        let tx = node.store.read().map_err(storage)?;
        let ledger = tx.ledger().map_err(storage)?;
        prove(node, &ledger, self.entry).map_err(|error| match error {
            StoreError::OutsideLedger { size, .. } => {
                let message = format!("the ledger has {size} entries, from 0");
                ApiError::new(ErrorCode::NotFound, message).hint("mandorla audit log")
            }
            other => storage(other),
        })
    }
}

fn prove(node: &Node, ledger: &LedgerReader, seq: u64) -> Result<EntryProof, StoreError> {
    let size = ledger.size();
    let leaf = ledger.leaf_bytes(seq)?;
    let proof = ledger.inclusion_proof(seq, size)?;
    Ok(EntryProof {
        schema: 1,
        format: bundle::PROOF_FORMAT.to_owned(),
        node: node.code().to_owned(),
        keys: keys(node),
        seq,
        leaf: String::from_utf8(leaf).map_err(|_| LedgerFault::Unreadable { seq })?,
        size,
        proof: proof.iter().map(hex::encode).collect(),
        checkpoint: ledger.latest_checkpoint()?,
    })
}

/// Signing keys of this node, the present one last.
fn keys(node: &Node) -> Vec<String> {
    let verifier = node.store.ledger_verifier();
    verifier.keys.iter().map(hex::encode).collect()
}

impl Serve for AuditReconcile {
    async fn serve(self, node: &Arc<Node>, caller: &Caller) -> Result<ReconcileReport, ApiError> {
        let mut report = reconcile(node, caller, Self::ROLES, &self.peer).await?;
        let inner = Arc::clone(node);
        let (_, own) =
            crate::server::blocking(move || pair_audit::audit(&inner).map_err(storage)).await?;
        report.in_step = report.in_step && own.is_empty();
        report.faults.extend(own);
        Ok(report)
    }
}
