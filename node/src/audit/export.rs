//! An export: a header with one view of everything small, then entries and facts in pieces.

use std::sync::Arc;

use mandorla_control::{
    ApiError, AuditExport, AuditExportEntries, AuditExportFacts, Call as _, ErrorCode,
    ExportHeader, ExportedEntries, ExportedEntry, ExportedPairLog,
};
use mandorla_protocol::merkle::LeafHashes as _;
use mandorla_store::{LedgerReader, ReadTx, StoreError};

use super::{ENTRIES_MAX, LOG_BYTES_MAX, bundle, keys};
use crate::events::Event;
use crate::node::{Caller, Node, storage};
use crate::records::agreement::AGREEMENTS;
use crate::records::pair::{PAIR_LEAVES, PAIR_LOGS};
use crate::records::round::Side;
use crate::rounds::pair::{Parties, log_name, side_of, tree_of};
use crate::server::{Routes, ServeBlocking, role_of};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .call::<AuditExport>()
        .call::<AuditExportEntries>()
        .call::<AuditExportFacts>()
}

impl ServeBlocking for AuditExport {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<ExportHeader, ApiError> {
        let first = {
            let tx = node.store.read().map_err(storage)?;
            let ledger = tx.ledger().map_err(storage)?;
            first_since(&ledger, self.since_s).map_err(storage)?
        };
        let event = |size: u64| {
            node.event_by(Event::LedgerExported, caller, role_of(caller, Self::ROLES))
                .detail("first", first)
                .detail("size", size)
        };
        // The export's own entry is in it.
        node.store
            .write::<_, StoreError>(|tx| {
                let size = node.store.read()?.ledger()?.size() + 1;
                tx.append_ledger(event(size)).map(|_| ())
            })
            .map_err(storage)?;
        let tx = node.store.read().map_err(storage)?;
        header(node, &tx, first).map_err(storage)
    }
}

/// The first entry of this time or later. Clocks may have gone back: from there on everything is in.
fn first_since(ledger: &LedgerReader, since_s: Option<u64>) -> Result<u64, StoreError> {
    let Some(since_s) = since_s else {
        return Ok(0);
    };
    for seq in 0..ledger.size() {
        if ledger.entry(seq)?.time_unix_s >= since_s {
            return Ok(seq);
        }
    }
    Ok(ledger.size())
}

fn header(node: &Node, tx: &ReadTx, first: u64) -> Result<ExportHeader, StoreError> {
    let ledger = tx.ledger()?;
    let agreements = tx.scan_all(AGREEMENTS)?.into_iter();
    let agreements = agreements.map(|(_, record)| record.papers);
    Ok(ExportHeader {
        schema: 1,
        format: bundle::EXPORT_FORMAT.to_owned(),
        node: node.code().to_owned(),
        name: node.config.name.clone(),
        country: node.config.country.clone(),
        keys: keys(node),
        exported_at: node.clock.now_s(),
        first,
        size: ledger.size(),
        checkpoint: ledger.latest_checkpoint()?,
        agreements: agreements.collect(),
        pair_logs: pair_logs(tx)?,
    })
}

fn pair_logs(tx: &ReadTx) -> Result<Vec<ExportedPairLog>, StoreError> {
    let damaged = StoreError::Missing {
        what: "readable pair log; mandorla audit verify names the fault",
    };
    let mut logs = Vec::new();
    for (name, record) in tx.scan_all(PAIR_LOGS)? {
        // A log without a checkpoint has no facts yet.
        let Some(note) = record.note.clone() else {
            continue;
        };
        let (Some(parties), Ok(tree)) = (Parties::in_note(&note), tree_of(&record)) else {
            return Err(damaged);
        };
        let (peer, _) = name.split_once('/').unwrap_or((&name, ""));
        logs.push(ExportedPairLog {
            peer: peer.to_owned(),
            direction: side_of(&name).direction().to_owned(),
            requester: parties.requester.to_string(),
            responder: parties.responder.to_string(),
            size: tree.size(),
            note: Some(note),
        });
    }
    Ok(logs)
}

impl ServeBlocking for AuditExportEntries {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<ExportedEntries, ApiError> {
        let tx = node.store.read().map_err(storage)?;
        let ledger = tx.ledger().map_err(storage)?;
        entries(&ledger, &self).map_err(storage)
    }
}

fn entries(
    ledger: &LedgerReader,
    part: &AuditExportEntries,
) -> Result<ExportedEntries, StoreError> {
    let end = part
        .to
        .min(ledger.size())
        .min(part.from.saturating_add(ENTRIES_MAX));
    let mut entries = Vec::new();
    let mut bytes = 0;
    for seq in part.from..end {
        if seq < part.first {
            entries.push(ExportedEntry::Hash(hex::encode(ledger.leaf(seq)?)));
            continue;
        }
        let leaf = ledger.leaf_bytes(seq)?;
        bytes += leaf.len();
        if bytes > LOG_BYTES_MAX {
            break;
        }
        let leaf = String::from_utf8(leaf);
        entries.push(ExportedEntry::Leaf(leaf.map_err(|_| {
            StoreError::from(mandorla_store::LedgerFault::Unreadable { seq })
        })?));
    }
    let reached = part.from + entries.len() as u64;
    let checkpoints = ledger.checkpoints(part.from + 1..reached + 1)?;
    Ok(ExportedEntries {
        entries,
        checkpoints,
    })
}

impl ServeBlocking for AuditExportFacts {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<Vec<String>, ApiError> {
        let side = Side::of_direction(&self.direction).ok_or_else(|| {
            let message = "the direction is `we ask` or `they ask`";
            ApiError::new(ErrorCode::BadRequest, message)
        })?;
        let name = log_name(&self.peer, side);
        let end = self.to.min(self.from.saturating_add(ENTRIES_MAX));
        if self.from >= end {
            return Ok(Vec::new());
        }
        let range = (name.as_str(), self.from)..=(name.as_str(), end - 1);
        let rows = node.store.read().and_then(|tx| tx.scan(PAIR_LEAVES, range));
        Ok(rows
            .map_err(storage)?
            .into_iter()
            .map(|(_, leaf)| leaf)
            .collect())
    }
}
