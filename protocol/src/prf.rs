//! The PRF in the form of RFC 9497 (2HashDH) and the values cut from it.

use mandorla_kernels::{Element, framed_sha512};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::hash::h256;
use crate::ids::RoundId;
use crate::labels;
use crate::question::PAYLOAD_BYTES;

/// `F(x)`: the PRF value of one match key, 32 bytes. Secret: it opens cells and hit keys.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PrfValue([u8; 32]);

impl PrfValue {
    /// From `k·H(x)`; the public key and the context are hashed in, so that the value belongs to one key only.
    pub fn new(
        domain_tag: &[u8],
        match_key: &[u8],
        public_key: &[u8; 32],
        element: &Element,
    ) -> Self {
        let mut long = framed_sha512(labels::PRF, [domain_tag, match_key, public_key, element]);
        let mut value = [0; 32];
        value.copy_from_slice(&long[..32]);
        long.zeroize();
        Self(value)
    }

    /// As read back from a run file.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For a run file.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `W(F, c)`: what the cell of the c-th subject with this match key begins with, before it is cut.
    pub fn tag(&self, question: RoundId, c: u32) -> [u8; 32] {
        h256(labels::TAG, &[&question.0, &self.0, &c.to_le_bytes()])
    }

    /// `M(F, c)`: masks the payload of that cell.
    pub fn mask(&self, round: RoundId, c: u32) -> [u8; PAYLOAD_BYTES] {
        let mut mask = [0; PAYLOAD_BYTES];
        mask.copy_from_slice(
            &h256(labels::MASK, &[&round.0, &self.0, &c.to_le_bytes()])[..PAYLOAD_BYTES],
        );
        mask
    }

    /// The key that proves a hit on this match key until the round closes.
    pub fn hit_key(&self, round: RoundId) -> HitKey {
        HitKey(h256(labels::HIT_KEY, &[&round.0, &self.0]))
    }
}

/// Proves that a match key was held by both sides of one round; kept until the round closes.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct HitKey([u8; 32]);

impl HitKey {
    /// As read back from a file.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For a file.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
