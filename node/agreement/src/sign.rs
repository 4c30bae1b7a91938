//! What is hashed and what is signed.

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::Agreement;

const HASH_LABEL: &[u8] = b"mandorla/1 agreement";
const SIGNATURE_LABEL: &[u8] = b"mandorla/1 agreement signature";
const ACTIVATION_LABEL: &[u8] = b"mandorla/1 agreement activation";
const SUSPENSION_LABEL: &[u8] = b"mandorla/1 agreement suspension";
const RESUMPTION_LABEL: &[u8] = b"mandorla/1 agreement resumption";

/// What a party states, by signature, about an agreement that both have signed. [`crate::Standing`] says what the
/// statements amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statement {
    /// Real data may flow, as far as this party knows of `sequence - 1` suspensions.
    Activation,
    /// No new round and no new release until both parties have stated otherwise with this sequence or a higher one.
    Suspension,
    /// A suspension with this sequence is over for a pilot, which has never touched real data.
    Resumption,
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The code names neither party.
    #[error("`{0}` is not a party of this agreement")]
    UnknownParty(String),
    /// The signature is not one of this party over this agreement.
    #[error("the signature is not {0}'s over these bytes")]
    Invalid(String),
}

/// SHA-256 over `u8 len(label) ‖ label ‖ u64le len ‖ bytes`, label `mandorla/1 agreement`.
pub fn agreement_hash(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(labelled(HASH_LABEL, bytes));
    hasher.finalize().into()
}

/// The bytes a party's `signing_key` signs to enter into the agreement with this hash:
/// `u8 len(label) ‖ label ‖ u64le 32 ‖ hash`, label `mandorla/1 agreement signature`.
pub fn signing_bytes(hash: &[u8; 32]) -> Vec<u8> {
    labelled(SIGNATURE_LABEL, hash)
}

/// The bytes a party's `signing_key` signs to make a statement about the agreement with this hash:
/// `u8 len(label) ‖ label ‖ u64le 36 ‖ hash ‖ u32le sequence`, label `mandorla/1 agreement activation`, `… suspension`
/// or `… resumption`.
///
/// `sequence` counts suspensions: the first activation has 1, a suspension the number of the activation that it ends,
/// and the activation after it one more, so that an old signature cannot end a suspension.
pub fn statement_bytes(statement: Statement, hash: &[u8; 32], sequence: u32) -> Vec<u8> {
    let label = match statement {
        Statement::Activation => ACTIVATION_LABEL,
        Statement::Suspension => SUSPENSION_LABEL,
        Statement::Resumption => RESUMPTION_LABEL,
    };
    let mut body = [0; 36];
    body[..32].copy_from_slice(hash);
    body[32..].copy_from_slice(&sequence.to_le_bytes());
    labelled(label, &body)
}

impl Agreement {
    /// The hash of the exact bytes; see [`agreement_hash`].
    pub fn hash(&self) -> [u8; 32] {
        agreement_hash(self.bytes())
    }

    /// Checks that `signature` is the party's over [`signing_bytes`] of this agreement (strict RFC 8032 verification).
    pub fn verify_signature(
        &self,
        party_code: &str,
        signature: &[u8; 64],
    ) -> Result<(), SignatureError> {
        self.verify(party_code, &signing_bytes(&self.hash()), signature)
    }

    /// Checks that `signature` is the party's over [`statement_bytes`] of this agreement.
    pub fn verify_statement(
        &self,
        statement: Statement,
        party_code: &str,
        sequence: u32,
        signature: &[u8; 64],
    ) -> Result<(), SignatureError> {
        let bytes = statement_bytes(statement, &self.hash(), sequence);
        self.verify(party_code, &bytes, signature)
    }

    fn verify(
        &self,
        party_code: &str,
        message: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), SignatureError> {
        let party = self
            .party(party_code)
            .ok_or_else(|| SignatureError::UnknownParty(party_code.to_owned()))?;
        let invalid = || SignatureError::Invalid(party_code.to_owned());
        let key = VerifyingKey::from_bytes(party.signing_key.as_bytes()).map_err(|_| invalid())?;
        key.verify_strict(message, &Signature::from_bytes(signature))
            .map_err(|_| invalid())
    }
}

fn labelled(label: &[u8], body: &[u8]) -> Vec<u8> {
    let label_len = u8::try_from(label.len()).expect("labels are short constants");
    let mut out = Vec::with_capacity(1 + label.len() + 8 + body.len());
    out.push(label_len);
    out.extend_from_slice(label);
    out.extend_from_slice(&(body.len() as u64).to_le_bytes());
    out.extend_from_slice(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layouts_are_the_documented_ones() {
        let mut expected = vec![30];
        expected.extend_from_slice(b"mandorla/1 agreement signature");
        expected.extend_from_slice(&[32, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend_from_slice(&[7; 32]);
        assert_eq!(signing_bytes(&[7; 32]), expected);

        let activation = statement_bytes(Statement::Activation, &[7; 32], 0x0102_0304);
        assert_eq!(activation[0], 31);
        assert_eq!(
            activation[activation.len() - 36..activation.len() - 4],
            [7; 32]
        );
        assert_eq!(activation[activation.len() - 4..], [4, 3, 2, 1]);
    }

    #[test]
    fn no_statement_has_the_bytes_of_another() {
        let of = |statement| statement_bytes(statement, &[7; 32], 1);
        let all = [
            of(Statement::Activation),
            of(Statement::Suspension),
            of(Statement::Resumption),
            signing_bytes(&[7; 32]),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
