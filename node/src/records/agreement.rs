//! Agreements.

use mandorla_control::{AgreementPapers, SuspensionCode};
use mandorla_store::Table;
use serde::{Deserialize, Serialize};

/// By agreement id and version.
pub(crate) const AGREEMENTS: Table<(&str, u64), AgreementRecord> = Table::new("agreements");

/// A version of an agreement: its exact text, and who signed what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AgreementRecord {
    pub papers: AgreementPapers,
    /// Why this node suspended it; stays here.
    pub suspended_because: Vec<SuspensionRecord>,
    /// This node suspended it when it had no key any more to say so with: only a new version goes on.
    #[serde(default)]
    pub suspended_for_good: bool,
}

/// Why this node suspended an agreement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SuspensionRecord {
    pub sequence: u32,
    pub code: SuspensionCode,
    /// In words. The ledger has the code alone.
    pub reason: String,
    pub by: String,
    pub at: u64,
}

impl AgreementRecord {
    /// A text that nobody has signed yet.
    pub(crate) fn of_text(text: String) -> Self {
        let papers = AgreementPapers {
            text,
            signatures: Vec::new(),
            activations: Vec::new(),
            suspensions: Vec::new(),
            resumptions: Vec::new(),
        };
        Self {
            papers,
            suspended_because: Vec::new(),
            suspended_for_good: false,
        }
    }
}
