//! What was disclosed of whom, by pseudonym; and the reasons that people gave, outside the ledger.

use std::collections::BTreeMap;

use mandorla_store::Table;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// (pseudonym, hit): releases of own records. Kept after the round: the next release of that person counts them.
pub(crate) const DISCLOSURES: Table<(&str, &str), DisclosureRecord> = Table::new("disclosures");
/// By commitment, hexadecimal: what people wrote as their reason. The ledger holds the commitment alone, so that a text
/// can be erased and the ledger still verifies.
pub(crate) const REASONS: Table<&str, ReasonRecord> = Table::new("reasons");

/// A release of an own record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DisclosureRecord {
    pub round: String,
    /// The slot whose frozen answer holds it; `None` until then.
    pub frozen_in: Option<u8>,
    /// What the ledger says of it.
    pub detail: BTreeMap<String, Value>,
}

/// A reason in words.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReasonRecord {
    pub text: String,
    /// 32 bytes, hexadecimal: commitment = SHA-256(salt ‖ text).
    pub salt: String,
    pub by: String,
    pub at: u64,
}
