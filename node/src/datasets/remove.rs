//! `dataset/remove`: the rows go, and the ledger proves that they were removed.

use std::sync::Arc;

use mandorla_control::{ApiError, Call as _, DatasetRemove, ErrorCode, RemovalProof, RemovedView};
use mandorla_store::StoreError;

use super::rows::{rows_of, sweep_locked, try_lock};
use super::{unknown, uses_generation, view};
use crate::events::Event;
use crate::failed::Failed;
use crate::node::{Caller, Node, storage};
use crate::records::dataset::DATASETS;
use crate::server::{ServeBlocking, role_of};

impl ServeBlocking for DatasetRemove {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<RemovedView, ApiError> {
        let name = self.name.as_str();
        // A load keeps rows from being swept, which might be its own: then nothing would be gone yet.
        let lock = try_lock(node).ok_or_else(|| {
            ApiError::new(ErrorCode::InUse, "a load is under way")
                .hint(format!("when it has ended: mandorla dataset remove {name}"))
        })?;
        let (record, seq) = node.store.write(|tx| {
            let record = tx.find(DATASETS, name)?.ok_or_else(|| unknown(name))?;
            if uses_generation(tx, record.generation)? {
                let message = format!("an open round uses dataset {name}");
                return Err(ApiError::new(ErrorCode::InUse, message)
                    .hint("mandorla round list")
                    .into());
            }
            tx.remove(DATASETS, name)?;
            let event = node
                .event_by(Event::DatasetRemoved, caller, role_of(caller, Self::ROLES))
                .detail("dataset", name)
                .detail("generation", record.generation)
                .detail("subjects", record.subjects)
                .detail("digest", record.digest.clone())
                .detail("file_digest", record.report.file_digest.clone())
                .detail("synthetic", record.synthetic);
            let seq = tx.append_ledger(event)?;
            Ok::<_, Failed>((record, seq))
        })?;
        let rows_removed = sweep_locked(node, &lock).map_err(storage)?;
        let rows_in_use = rows_of(node, name).map_err(storage)?;
        let compacted = node.store.try_compact().unwrap_or_else(|error| {
            tracing::warn!(%error, "the database was not compacted");
            false
        });
        Ok(RemovedView {
            rows_removed,
            rows_in_use,
            compacted,
            proof: proof(node, seq).map_err(storage)?,
            dataset: view(record),
        })
    }
}

fn proof(node: &Node, seq: u64) -> Result<RemovalProof, StoreError> {
    let proof = node.store.read()?.ledger()?.prove(seq)?;
    Ok(RemovalProof {
        node: node.code().to_owned(),
        node_key: hex::encode(node.identity.ledger_key().verifying_key().as_bytes()),
        leaf_hash: hex::encode(proof.leaf_hash()),
        seq,
        entry: proof.entry,
        size: proof.size,
        path: proof.path,
        checkpoint: proof.checkpoint,
    })
}
