//! Agreements.

use mandorla_control::PartySignature;
use mandorla_store::Table;
use serde::{Deserialize, Serialize};

/// By agreement id.
pub(crate) const AGREEMENTS: Table<&str, AgreementRecord> = Table::new("agreements");

/// An agreement's exact text, and who signed what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AgreementRecord {
    /// Exact bytes, which are UTF-8.
    pub text: String,
    pub signatures: Vec<PartySignature>,
    pub activations: Vec<PartySignature>,
    /// Set by `suspend`.
    pub suspended: bool,
}
