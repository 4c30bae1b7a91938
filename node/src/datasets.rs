//! Datasets: loaded from CSV, listed, read by rounds, removed.
//!
//! The subjects of a load are stored under a *generation* number of their own, in batches; the last transaction makes
//! the dataset point to it and writes the ledger entry. So a load that breaks off leaves the old dataset as it was, and
//! an open round goes on with the rows it began with. Rows that nothing points to any more are removed afterwards.

mod load;
mod profile;
mod remove;
mod rows;
mod upload;
mod uses;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::routing::post;
use mandorla_control::{
    ApiError, DATASET_LOAD_PATH, DatasetList, DatasetProfile, DatasetRemove, DatasetShow,
    DatasetView, ErrorCode,
};
use mandorla_linkage::Exclusion;
use mandorla_store::{StoreError, WriteTx};

pub(crate) use self::rows::{GENERATIONS, for_each_subject, subject, sweep};
use crate::node::{Caller, Node, storage};
use crate::records::dataset::{DATASETS, DatasetRecord};
use crate::server::{Routes, ServeBlocking};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .route(DATASET_LOAD_PATH, post(upload::upload))
        .call::<DatasetList>()
        .call::<DatasetShow>()
        .call::<DatasetProfile>()
        .call::<DatasetRemove>()
}

/// The dataset of this name.
pub(crate) fn find(node: &Node, name: &str) -> Result<DatasetRecord, ApiError> {
    let tx = node.store.read().map_err(storage)?;
    let record = tx.find(DATASETS, name).map_err(storage)?;
    record.ok_or_else(|| unknown(name))
}

/// Whether an open round still reads the rows of a generation. Asked in the transaction that would remove them.
fn uses_generation(tx: &WriteTx<'_>, generation: u64) -> Result<bool, StoreError> {
    let rounds = tx.scan_all(crate::records::round::ROUNDS)?;
    let mut rounds = rounds.iter().map(|(_, round)| round);
    Ok(rounds.any(|round| round.generation == generation && !round.state.is_over()))
}

impl ServeBlocking for DatasetList {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<Vec<DatasetView>, ApiError> {
        let tx = node.store.read().map_err(storage)?;
        let rows = tx.scan_all(DATASETS).map_err(storage)?;
        Ok(rows.into_iter().map(|(_, record)| view(record)).collect())
    }
}

impl ServeBlocking for DatasetShow {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<DatasetView, ApiError> {
        find(node, &self.name).map(view)
    }
}

/// Counts of exclusions by their words.
fn by_word(counts: &BTreeMap<Exclusion, u64>) -> BTreeMap<String, u64> {
    let words = counts.iter();
    words
        .map(|(exclusion, count)| (exclusion.to_string(), *count))
        .collect()
}

fn view(record: DatasetRecord) -> DatasetView {
    DatasetView {
        name: record.name,
        subjects: record.subjects,
        fields: record.fields,
        digest: record.digest,
        loaded_at: record.loaded_at,
        synthetic: record.synthetic,
        report: record.report,
    }
}

fn unknown(name: &str) -> ApiError {
    ApiError::new(
        ErrorCode::NotFound,
        format!("this node has no dataset {name}"),
    )
    .hint("mandorla dataset list")
}

#[cfg(test)]
mod tests;
