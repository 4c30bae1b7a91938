//! Proof of possession: whoever announces `K` in a context knows its `k`.
//!
//! A Schnorr proof. With `framed` of [`Framed`](crate::Framed) and `wide` the reduction of 64 little-endian
//! bytes modulo the group order:
//!
//! ```text
//! r = wide(HMAC-SHA-512(k, framed("mandorla/1 possession nonce", context, randomness)))
//! A = r·G
//! c = wide(SHA-512(framed("mandorla/1 possession", context, K, A)))
//! s = r − c·k                                       proof = c ‖ s
//! accepted if c is the same for A = s·G + c·K
//! ```

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use zeroize::Zeroizing;

use crate::proof_scalars::ProofScalars;
use crate::{
    EvaluationKey, FramedHmacSha512, ProofEncodingError, PublicKey, UnprovenPossession,
    framed_sha512,
};

const NONCE_LABEL: &str = "mandorla/1 possession nonce";
const CHALLENGE_LABEL: &str = "mandorla/1 possession";

/// A proof that its maker knew the key of a public key in one context; 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PossessionProof(ProofScalars);

impl PossessionProof {
    /// `c ‖ s`, two canonical scalars of 32 bytes.
    pub fn to_bytes(&self) -> [u8; 64] {
        self.0.to_bytes()
    }

    /// Reads a proof.
    ///
    /// # Errors
    /// If one of the scalars is not canonical.
    pub fn from_bytes(bytes: &[u8; 64]) -> Result<Self, ProofEncodingError> {
        ProofScalars::from_bytes(bytes).map(Self)
    }
}

/// Proves possession of a key. `randomness` should be fresh; if it is not, the nonce still differs for
/// each context and key.
pub fn prove_possession(
    key: &EvaluationKey,
    context: &[u8],
    randomness: &[u8; 32],
) -> PossessionProof {
    let nonce = proof_nonce(key, NONCE_LABEL, [context, &randomness[..]]);
    let challenge = challenge(context, &key.public(), &RistrettoPoint::mul_base(&nonce));
    PossessionProof(respond(key, &nonce, challenge))
}

/// Verifies a proof of possession.
///
/// # Errors
/// If the proof was not made with the key of `public` for this context.
pub fn verify_possession(
    public: &PublicKey,
    context: &[u8],
    proof: &PossessionProof,
) -> Result<(), UnprovenPossession> {
    let commitment = commitment_vartime(public, &proof.0);
    if challenge(context, public, &commitment) == proof.0.challenge {
        Ok(())
    } else {
        Err(UnprovenPossession)
    }
}

fn challenge(context: &[u8], public: &PublicKey, commitment: &RistrettoPoint) -> Scalar {
    let commitment = commitment.compress();
    let parts = [context, public.as_bytes(), commitment.as_bytes()];
    Scalar::from_bytes_mod_order_wide(&framed_sha512(CHALLENGE_LABEL, parts))
}

/// The secret nonce of a proof: a function of the key, of what is proven, and of fresh randomness, so
/// that a failed random generator alone does not give the key away.
pub(crate) fn proof_nonce<'a>(
    key: &EvaluationKey,
    label: &str,
    parts: impl IntoIterator<Item = &'a [u8]>,
) -> Zeroizing<Scalar> {
    let mut mac = FramedHmacSha512::new(&*key.to_bytes(), label);
    mac.parts(parts);
    let wide = Zeroizing::new(mac.finish());
    Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide))
}

/// `s = r − c·k`.
pub(crate) fn respond(key: &EvaluationKey, nonce: &Scalar, challenge: Scalar) -> ProofScalars {
    let product = Zeroizing::new(challenge * key.whole());
    ProofScalars {
        challenge,
        response: nonce - *product,
    }
}

/// `s·G + c·K`, in variable time on public values.
pub(crate) fn commitment_vartime(public: &PublicKey, proof: &ProofScalars) -> RistrettoPoint {
    RistrettoPoint::vartime_double_scalar_mul_basepoint(
        &proof.challenge,
        public.point(),
        &proof.response,
    )
}
