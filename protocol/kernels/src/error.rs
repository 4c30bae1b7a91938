//! What can go wrong, each case once. No error carries subject data, keys or elements.

use crate::Level;

/// An element of a batch is not the canonical encoding of a group element other than the identity
/// (RFC 9496, section 4.3.1). Whoever sent it does not follow the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("element {index} is not a canonical ristretto255 element, or is the identity")]
pub struct BadElement {
    /// The position of the first such element in its batch, from 0.
    pub index: usize,
}

/// Bytes are not a usable key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The 32 bytes are not a scalar below the group order.
    #[error("the key is not a canonical scalar")]
    NotCanonical,
    /// The scalar is 0, or one of the values whose half no kernel level may be given (0 and −1).
    #[error("the key is a scalar that no evaluation may use")]
    Forbidden,
    /// The 32 bytes are not a canonical group element, or are the identity.
    #[error("the public key is not a canonical ristretto255 element, or is the identity")]
    BadPublicKey,
}

/// A proof of a chunk was not accepted. Nothing of the chunk may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There are not as many outputs as inputs.
    #[error("{outputs} outputs for {inputs} inputs")]
    Count {
        /// Elements that were sent for evaluation.
        inputs: usize,
        /// Elements that came back.
        outputs: usize,
    },
    /// An output is not a group element, or is the identity.
    #[error("bad output: {0}")]
    BadOutput(#[from] BadElement),
    /// The outputs are not the inputs times the key of this public key, or the proof was made for
    /// another context.
    #[error("the proof does not hold for these inputs and outputs")]
    BadProof,
}

/// A proof's 64 bytes are not two canonical scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proof is not two canonical scalars")]
pub struct ProofEncodingError;

/// A proof of possession does not hold for this public key and context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proof of possession does not hold for this public key and context")]
pub struct UnprovenPossession;

/// `expand_message_xmd` was asked for what RFC 9380 does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// The domain separation tag is empty (RFC 9380, section 3.1, requirement 2).
    #[error("the domain separation tag is empty")]
    EmptyTag,
    /// More than 255 hash outputs were asked for (RFC 9380, section 5.3.1).
    #[error("{bytes} bytes asked for, at most {bytes_max} can be expanded")]
    OutputTooLong {
        /// Bytes asked for.
        bytes: usize,
        /// The most that can be had.
        bytes_max: usize,
    },
}

/// A kernel level cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// No level has this name.
    #[error("unknown kernel level {name:?}; this build knows: {}", Level::names())]
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// The processor, or this build, lacks the instructions of the level.
    #[error("kernel level {level} is not available here; the highest is {highest}")]
    Unavailable {
        /// The level asked for.
        level: Level,
        /// The highest level that can be used.
        highest: Level,
    },
}
