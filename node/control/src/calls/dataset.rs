//! `mandorla dataset …`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::call::calls;

/// Path of the streaming upload that loads a dataset; see [`DatasetLoad`].
pub const DATASET_LOAD_PATH: &str = "/v1/dataset/load";

/// First frame of an upload: `u32` little-endian length and this object in JSON, then the CSV file to the end of the body.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetLoad {
    /// Name of the dataset, as agreements call it.
    pub name: String,
    /// Text of the map file (TOML).
    pub map: String,
    /// Report only; nothing is kept.
    pub dry_run: bool,
}

/// All datasets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetList {}

/// One dataset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetShow {
    /// Name.
    pub name: String,
}

/// Removes a dataset that no open round uses.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetRemove {
    /// Name.
    pub name: String,
}

calls! {
    "dataset/list" [] DatasetList -> Vec<DatasetView>;
    "dataset/show" [Operator, Analyst, Auditor] DatasetShow -> DatasetView;
    "dataset/remove" [Operator] DatasetRemove -> DatasetView;
}

/// A dataset without its rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetView {
    /// Name.
    pub name: String,
    /// Subjects.
    pub subjects: u64,
    /// Fields that have values.
    pub fields: Vec<String>,
    /// Digest of the canonical rows, hexadecimal.
    pub digest: String,
    /// When it was loaded, Unix seconds.
    pub loaded_at: u64,
    /// Whether it is test data, by the word of its map file.
    pub synthetic: bool,
    /// What the load found.
    pub report: LoadReportView,
}

/// What a load did with each row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LoadReportView {
    /// Rows read.
    pub rows_in: u64,
    /// Rows that became subjects.
    pub accepted: u64,
    /// Rows refused, by reason, with the first line numbers.
    pub rejected: BTreeMap<String, RejectedView>,
    /// Things to look at.
    pub warnings: Vec<String>,
    /// SHA-256 of the file, hexadecimal.
    pub file_digest: String,
    /// Whether anything was kept.
    pub dry_run: bool,
}

/// Rows refused for one reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RejectedView {
    /// How many.
    pub rows: u64,
    /// The first of their line numbers.
    pub lines: Vec<u64>,
}
