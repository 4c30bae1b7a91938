//! Batch arithmetic on ristretto255: the hot path of Mandorla.
//!
//! ```text
//!        responder (has y, K, one blind r per y)            requester (has the key k, K = k·G)
//!
//!   y ─► hash_to_group ─► N = H(y) + r·G ── elements ──►  decode ─► evaluate: E = k·N
//!                         Kernel::blind                                  │
//!                                                         Kernel::prove: one proof per chunk
//!                                                                        │
//!   k·H(y) = E − r·K ◄── VerifiedPoints ◄── verify ◄── elements, proof ──┘
//!   Kernel::unblind                 Kernel::verify
//!
//!                                        x ─► Kernel::derive: k·H(x), the same value where x = y
//! ```
//!
//! Every operation takes a batch and runs on the calling thread; callers split work. A [`Kernel`] is
//! chosen once at run time and names the [`Level`] of instructions it uses; each level computes the
//! same bytes. The group is ristretto255 (RFC 9496), `H` is RFC 9380's `expand_message_xmd` with
//! SHA-512 into RFC 9496's one-way map. Blinding is additive, so only evaluations that a proof has
//! verified can be unblinded: [`Kernel::verify`] alone makes [`VerifiedPoints`]. Arithmetic on secrets
//! takes constant time; functions whose names end in `_vartime` see public values only.

mod chunk_proof;
mod error;
mod framed;
mod hash_to_group;
mod kernel;
mod keys;
mod level;
mod points;
mod possession;
mod proof_scalars;
mod scalar;

pub use chunk_proof::ChunkProof;
pub use error::{
    BadElement, ExpandError, KeyError, LevelError, ProofEncodingError, UnprovenPossession,
    VerifyError,
};
pub use framed::{
    Framed, FramedHmacSha512, FramedSha256, FramedSha512, framed_sha256, framed_sha512,
};
pub use hash_to_group::{expand_message_xmd_sha512, hash_to_group, map_to_group};
pub use kernel::{KERNEL_ENV, Kernel};
pub use keys::{Blind, EvaluationKey, PublicKey, PublicKeyTable};
pub use level::Level;
pub use points::{Element, Points, VerifiedPoints};
pub use possession::{PossessionProof, prove_possession, verify_possession};
