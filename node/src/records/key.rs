//! Successions of the node's own keys.

use std::collections::BTreeMap;

use mandorla_store::Table;
use serde::{Deserialize, Serialize};

/// By the sequence number of the new keys.
pub(crate) const SUCCESSIONS: Table<u64, SuccessionRecord> = Table::new("successions");

/// A succession that peers are told of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SuccessionRecord {
    /// The signed statement, hexadecimal of its encoding.
    pub signed: String,
    /// Countersignatures by party code, hexadecimal.
    pub countersigned: BTreeMap<String, String>,
    /// Peers that are not waited for.
    pub without: Vec<String>,
}
