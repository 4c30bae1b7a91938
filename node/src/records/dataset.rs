//! Datasets and their subjects.

use mandorla_control::LoadReportView;
use mandorla_store::Table;
use serde::{Deserialize, Serialize};

/// By dataset name.
pub(crate) const DATASETS: Table<&str, DatasetRecord> = Table::new("datasets");
/// By dataset generation and subject index from 0, without gaps; the value is hexadecimal of `Subject::to_bytes`.
pub(crate) const SUBJECTS: Table<(u64, u64), String> = Table::new("subjects");

/// A loaded dataset. Its subjects are stored under a generation number that is never used again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DatasetRecord {
    pub name: String,
    pub generation: u64,
    pub subjects: u64,
    pub fields: Vec<String>,
    /// SHA-256 over all canonical subjects, hexadecimal.
    pub digest: String,
    pub loaded_at: u64,
    /// Test data, by the word of the map file: invented people.
    pub synthetic: bool,
    pub report: LoadReportView,
}
