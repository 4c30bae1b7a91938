//! The two scalars that every proof here consists of.

use curve25519_dalek::scalar::Scalar;

use crate::ProofEncodingError;

/// Challenge `c` and response `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProofScalars {
    pub(crate) challenge: Scalar,
    pub(crate) response: Scalar,
}

impl ProofScalars {
    /// `c ‖ s`, each 32 bytes little-endian.
    pub(crate) fn to_bytes(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(self.challenge.as_bytes());
        bytes[32..].copy_from_slice(self.response.as_bytes());
        bytes
    }

    /// Refuses scalars that are not below the group order: a proof has one encoding.
    pub(crate) fn from_bytes(bytes: &[u8; 64]) -> Result<Self, ProofEncodingError> {
        let (challenge, response) = bytes.split_at(32);
        Ok(Self {
            challenge: canonical(challenge)?,
            response: canonical(response)?,
        })
    }
}

fn canonical(bytes: &[u8]) -> Result<Scalar, ProofEncodingError> {
    let bytes = bytes.try_into().expect("a half of 64 bytes");
    Option::from(Scalar::from_canonical_bytes(bytes)).ok_or(ProofEncodingError)
}
