//! `mandorla dataset …`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::call::calls;
use crate::role::Role;

/// Path of the streaming upload that loads a dataset; see [`DatasetLoad`].
pub const DATASET_LOAD_PATH: &str = "/v1/dataset/load";

/// Who may load.
pub const DATASET_LOAD_ROLES: &[Role] = &[Role::Operator];

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

/// Counts what a dataset's rows have and lack; never a value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetProfile {
    /// Name.
    pub name: String,
}

calls! {
    "dataset/list" [] DatasetList -> Vec<DatasetView>;
    "dataset/show" [Operator, Analyst, Auditor] DatasetShow -> DatasetView;
    "dataset/profile" [Operator, Auditor] DatasetProfile -> ProfileView;
    "dataset/remove" [Operator] DatasetRemove -> RemovedView;
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
    /// Rows that became subjects, or parts of them.
    pub accepted: u64,
    /// Rows of subjects whom the node's own policy keeps out; they are not stored.
    pub excluded_rows: u64,
    /// Subjects whom the node's own policy keeps out, by predicate; who falls under several counts under each.
    pub excluded: BTreeMap<String, u64>,
    /// Stored subjects that carry an exclusion, by its word.
    pub flagged: BTreeMap<String, u64>,
    /// What each agreement of this node that names the dataset makes of it.
    pub agreements: Vec<DatasetUseView>,
    /// Rows refused, by reason, with the first line numbers.
    pub rejected: BTreeMap<String, RejectedView>,
    /// Things to look at.
    pub warnings: Vec<String>,
    /// SHA-256 of the file, hexadecimal.
    pub file_digest: String,
    /// Whether anything was kept.
    pub dry_run: bool,
}

/// A dataset under one agreement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetUseView {
    /// Agreement.
    pub agreement: String,
    /// Its state.
    pub state: String,
    /// Subjects whom its scope, or the node's policy under it, keeps out of its rounds; by predicate, each once.
    pub excluded: BTreeMap<String, u64>,
    /// Subjects that have a match key of each type.
    pub match_keys: BTreeMap<String, u64>,
    /// Subjects with more match keys than one subject may have; the rest are left out.
    pub cut_subjects: u64,
}

/// What a dataset's rows have and lack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProfileView {
    /// Name.
    pub name: String,
    /// Subjects.
    pub subjects: u64,
    /// Per field that anybody has.
    pub fields: Vec<FieldProfileView>,
    /// Subjects with a birth date of 1 January.
    pub default_dates: u64,
    /// Subjects with Latin and Cyrillic letters in one word.
    pub mixed_scripts: u64,
    /// National numbers of type `jmbg`.
    pub jmbg: u64,
    /// Of these, with a check digit that does not fit.
    pub jmbg_bad: u64,
    /// Subjects by exclusion.
    pub flagged: BTreeMap<String, u64>,
    /// Per agreement that names the dataset: match keys.
    pub agreements: Vec<KeyProfileView>,
}

/// A field in a profile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FieldProfileView {
    /// Field.
    pub field: String,
    /// Subjects with a value that is no placeholder.
    pub usable: u64,
    /// Subjects with placeholders only.
    pub placeholders: u64,
    /// Subjects without a value.
    pub missing: u64,
    /// Subjects with several values.
    pub several: u64,
}

/// The match keys of a dataset under one agreement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyProfileView {
    /// Agreement.
    pub agreement: String,
    /// Subjects by their number of match keys.
    pub subjects_by_keys: BTreeMap<u64, u64>,
    /// Per type of match key: subjects that share one with another subject of the dataset.
    pub sharing: BTreeMap<String, u64>,
}

/// What is left of a removed dataset: the record that it was there, and that it is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemovedView {
    /// The dataset as it was.
    pub dataset: DatasetView,
    /// Rows removed from the store, those of earlier loads that nothing needs any more among them.
    pub rows_removed: u64,
    /// Rows of earlier loads that an open round still reads; they go when it is over.
    pub rows_in_use: u64,
    /// Whether the database file was compacted.
    pub compacted: bool,
    /// That the removal stands in the ledger.
    pub proof: RemovalProof,
}

/// The ledger entry of a removal with its way to a signed checkpoint; checked without the node by its public key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemovalProof {
    /// The node whose ledger it is.
    pub node: String,
    /// The node's public key, 64 hexadecimal digits.
    pub node_key: String,
    /// Number of the entry.
    pub seq: u64,
    /// The entry's JSON, byte for byte.
    pub entry: String,
    /// Its leaf hash (RFC 6962), hexadecimal.
    pub leaf_hash: String,
    /// Entries that the checkpoint covers.
    pub size: u64,
    /// The hashes beside the way to the root, from the leaf up; hexadecimal.
    pub path: Vec<String>,
    /// The signed checkpoint: a note.
    pub checkpoint: String,
}

/// Rows refused for one reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RejectedView {
    /// How many.
    pub rows: u64,
    /// The first of their line numbers.
    pub lines: Vec<u64>,
}
