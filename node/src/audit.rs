//! Reading and recomputing the node's own history.

use std::sync::Arc;

use mandorla_control::{ApiError, AuditLog, AuditReport, AuditVerify, ErrorCode};

use crate::node::{Caller, Node, storage};
use crate::rounds::pair_audit;
use crate::server::{Routes, ServeBlocking};

/// Most entries of one reply: some five megabytes of JSON.
const ENTRIES_MAX: u64 = 10_000;

/// Most bytes of one reply; what is left is asked for with the next `from`.
const LOG_BYTES_MAX: usize = 32 << 20;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes.call::<AuditVerify>().call::<AuditLog>()
}

impl ServeBlocking for AuditVerify {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<AuditReport, ApiError> {
        let (pair_logs, mut faults) = pair_audit::audit(node).map_err(storage)?;
        let (entries, root) = match node.store.verify_ledger(&[]) {
            Ok(report) => (report.entries, hex::encode(report.root)),
            Err(fault) => {
                faults.insert(0, format!("ledger: {fault}"));
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
}

impl ServeBlocking for AuditLog {
    fn serve_blocking(
        self,
        node: &Arc<Node>,
        _: &Caller,
    ) -> Result<Vec<serde_json::Value>, ApiError> {
        let tx = node.store.read().map_err(storage)?;
        let ledger = tx.ledger().map_err(storage)?;
        let end = self
            .from
            .saturating_add(self.limit.min(ENTRIES_MAX))
            .min(ledger.size());
        let mut entries = Vec::new();
        let mut bytes = 0;
        for seq in self.from..end {
            let leaf = ledger.leaf_bytes(seq).map_err(storage)?;
            bytes += leaf.len();
            if bytes > LOG_BYTES_MAX {
                break;
            }
            let entry = serde_json::from_slice(&leaf).map_err(|_| {
                let message = format!("ledger entry {seq} is not readable");
                ApiError::new(ErrorCode::FaultFound, message).hint("mandorla audit verify")
            })?;
            entries.push(entry);
        }
        Ok(entries)
    }
}
