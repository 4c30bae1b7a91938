//! Why something is processed, as the ledger says it: codes, clauses of the agreement and commitments, never words of
//! a person.

use std::collections::BTreeMap;

use mandorla_agreement::{Agreement, Regime};
use mandorla_store::{LedgerEvent, StoreError, WriteTx};
use rand_core::Rng as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::records::disclosure::{REASONS, ReasonRecord};
use crate::rounds::os_rng;

/// Adds purpose, regime, legal basis, categories of subjects, necessity and case.
///
/// A clause of the agreement stands by its name and the SHA-256 of its text; the entry names the agreement itself.
pub(crate) fn justified(
    mut event: LedgerEvent,
    agreement: &Agreement,
    own: &str,
    case_reference: Option<&str>,
) -> LedgerEvent {
    event
        .detail
        .extend(justification(agreement, own, case_reference));
    event
}

/// The same as details.
pub(crate) fn justification(
    agreement: &Agreement,
    own: &str,
    case_reference: Option<&str>,
) -> BTreeMap<String, Value> {
    let terms = agreement.terms();
    let regime = match terms.purpose.regime {
        Regime::LawEnforcement => "law-enforcement",
        Regime::General => "general",
    };
    let basis = terms.legal.get(own).map(|legal| {
        let name = |field: &str| format!("legal.{own}.{field}");
        Value::from(vec![
            clause(&name("instrument"), &legal.instrument),
            clause(&name("basis"), &legal.basis),
        ])
    });
    let categories = terms.scope.subject_categories.join("\n");
    let necessity = clause("purpose.text", &terms.purpose.text);
    let details = [
        ("purpose", terms.purpose.code.clone().into()),
        ("regime", regime.into()),
        ("legal_basis", basis.unwrap_or(Value::Null)),
        (
            "subject_categories",
            clause("scope.subject_categories", &categories),
        ),
        ("necessity", necessity),
    ];
    let case = case_reference.map(|case| ("case_reference", case.into()));
    let details = details.into_iter().chain(case);
    details
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// A clause by its name and the digest of its text.
pub(crate) fn clause(name: &str, text: &str) -> Value {
    json!({"clause": name, "sha256": hex::encode(Sha256::digest(text))})
}

/// A reason in a person's words: its commitment is for the ledger, the words for a table of their own.
pub(crate) struct Reason {
    commitment: String,
    record: ReasonRecord,
}

impl Reason {
    /// Commits to the words with a fresh salt.
    pub(crate) fn new(text: &str, by: &str, at: u64) -> Self {
        let mut salt = [0; 32];
        os_rng().fill_bytes(&mut salt);
        Self {
            commitment: commitment(&salt, text),
            record: ReasonRecord {
                text: text.to_owned(),
                salt: hex::encode(salt),
                by: by.to_owned(),
                at,
            },
        }
    }

    /// For the ledger: SHA-256(salt ‖ text), hexadecimal.
    pub(crate) fn commitment(&self) -> &str {
        &self.commitment
    }

    /// Keeps the words, in the transaction of what they are the reason for.
    pub(crate) fn keep(&self, tx: &WriteTx<'_>) -> Result<(), StoreError> {
        tx.put(REASONS, self.commitment.as_str(), &self.record)
    }
}

/// SHA-256(salt ‖ text), hexadecimal.
pub(crate) fn commitment(salt: &[u8], text: &str) -> String {
    let digest = Sha256::new().chain_update(salt).chain_update(text);
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_committed_to_with_a_fresh_salt() {
        let [one, other] = [(), ()].map(|()| Reason::new("OP-LARCH", "p.officer", 1));
        assert_ne!(one.commitment(), other.commitment());
        let salt = hex::decode(&one.record.salt).unwrap();
        assert_eq!(commitment(&salt, "OP-LARCH"), one.commitment());
        assert_ne!(commitment(&salt, "OP-LARCH "), one.commitment());
    }
}
