//! Ed25519 signatures over framed statements, and the two kinds of secret key that make them.

use crate::hash::framed;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::error::PeerFault;
use crate::ids::{NodeKey, RoundId};
use crate::labels;

/// A detached Ed25519 signature (RFC 8032), 64 bytes.
pub type SignatureBytes = [u8; 64];

/// The secret key that a node signs with; its public half names the party.
///
/// Zeroised on drop, never printed.
pub struct NodeSigner(SigningKey);

impl NodeSigner {
    /// From the 32-byte seed of RFC 8032.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> NodeKey {
        NodeKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `framed(label, parts…)`.
    pub fn sign(&self, label: &str, parts: &[&[u8]]) -> SignatureBytes {
        self.0.sign(&framed(label, parts)).to_bytes()
    }

    /// The key itself, for signed notes.
    pub fn signing_key(&self) -> &SigningKey {
        &self.0
    }
}

/// The secret key of the review desk: it approves questions and signs released items.
///
/// Whoever holds one can make an approval; a node gives it to its review code only.
pub struct ReleaseSigner(SigningKey);

impl ReleaseSigner {
    /// From the 32-byte seed of RFC 8032.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half, a field of the agreement.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub(crate) fn sign(&self, label: &str, parts: &[&[u8]]) -> SignatureBytes {
        self.0.sign(&framed(label, parts)).to_bytes()
    }
}

/// Verifies a signature over `framed(label, parts…)`, strictly (no small-order keys, canonical encodings).
pub fn verify(
    what: &'static str,
    public: &[u8; 32],
    label: &str,
    parts: &[&[u8]],
    signature: &SignatureBytes,
) -> Result<(), PeerFault> {
    let key = VerifyingKey::from_bytes(public).map_err(|_| PeerFault::Signature(what))?;
    key.verify_strict(&framed(label, parts), &Signature::from_bytes(signature))
        .map_err(|_| PeerFault::Signature(what))
}

/// Which side of a round a statement is made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Asks.
    Requester,
    /// Is asked.
    Responder,
}

impl Role {
    pub(crate) fn byte(self) -> [u8; 1] {
        match self {
            Self::Requester => [0],
            Self::Responder => [1],
        }
    }
}

/// Binds a round to the TLS connection it runs on.
///
/// `exporter`: 32 bytes of the TLS 1.3 exporter with label [`EXPORTER_LABEL`] and the round id as context.
pub fn bind(
    signer: &NodeSigner,
    role: Role,
    round: RoundId,
    exporter: &[u8; 32],
) -> SignatureBytes {
    signer.sign(labels::BINDING, &[&role.byte(), &round.0, exporter])
}

/// Checks the peer's binding.
pub fn verify_binding(
    peer: &NodeKey,
    role: Role,
    round: RoundId,
    exporter: &[u8; 32],
    binding: &SignatureBytes,
) -> Result<(), PeerFault> {
    verify(
        "the connection binding",
        &peer.0,
        labels::BINDING,
        &[&role.byte(), &round.0, exporter],
        binding,
    )
}

/// Label of the TLS exporter (RFC 8446 section 7.5).
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-mandorla-1";
