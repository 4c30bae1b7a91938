//! The chunk proof: all outputs of a chunk are its inputs times the one key of `K`.
//!
//! A proof of equality of discrete logarithms between `(G, K)` and `(M, Z)`, where `M` and `Z` are sums of
//! the inputs and of the outputs with coefficients that come from a hash of the whole chunk. With `framed`
//! of [`Framed`](crate::Framed), `wide` the reduction of 64 little-endian bytes modulo the group order, and
//! `N`, `E` the encodings of all inputs and all outputs, concatenated:
//!
//! ```text
//! seed    = SHA-512(framed("mandorla/1 chunk proof", context, K, u32le(n), N, E))
//! d_4b…d_4b+3 = SHA-512(framed("mandorla/1 coefficients", seed, u32le(b))), four times 16 bytes little-endian
//! M = Σ dᵢ·Nᵢ,  Z = Σ dᵢ·Eᵢ                         the prover computes Z = k·M
//! r = wide(HMAC-SHA-512(k, framed("mandorla/1 proof nonce", seed, randomness)))
//! A = r·G,  B = r·M
//! c = wide(SHA-512(framed("mandorla/1 chunk challenge", seed, M, Z, A, B)))
//! s = r − c·k                                       proof = c ‖ s
//! accepted if c is the same for A = s·G + c·K,  B = s·M + c·Z
//! ```
//!
//! The coefficients of RFC 9497, section 2.2.1, depend each on its own pair only, which a large batch must not
//! allow: a generalised birthday search would find a forgery. Here every coefficient depends on all.

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;

use crate::possession::{commitment_vartime, proof_nonce, respond};
use crate::proof_scalars::ProofScalars;
use crate::{
    Element, EvaluationKey, FramedSha512, Kernel, Points, ProofEncodingError, PublicKey,
    VerifiedPoints, VerifyError, framed_sha512,
};

const SEED_LABEL: &str = "mandorla/1 chunk proof";
const COEFFICIENTS_LABEL: &str = "mandorla/1 coefficients";
const NONCE_LABEL: &str = "mandorla/1 proof nonce";
const CHALLENGE_LABEL: &str = "mandorla/1 chunk challenge";

/// Bytes of a coefficient: a wrong output passes with a chance of 2^−128.
const COEFFICIENT_BYTES: usize = 16;
/// Coefficients from one hash output.
const COEFFICIENTS_PER_BLOCK: usize = 64 / COEFFICIENT_BYTES;

/// A proof that the outputs of a chunk are its inputs times the key of a public key; 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkProof(ProofScalars);

impl ChunkProof {
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

impl Kernel {
    /// Proves that `outputs` are the `inputs` times the key, in a context that both sides know.
    /// `inputs` are the points and their encodings, `outputs` what [`evaluate`](Kernel::evaluate) made of
    /// them with the same key; otherwise the proof will not verify. `randomness` should be fresh; if it is
    /// not, the nonce still differs for each chunk, context and key.
    ///
    /// # Panics
    /// If points, their encodings and outputs are not equally many, or are 2^32 or more.
    pub fn prove(
        &self,
        key: &EvaluationKey,
        context: &[u8],
        inputs: (&Points, &[Element]),
        outputs: &[Element],
        randomness: &[u8; 32],
    ) -> ChunkProof {
        let (points, elements) = inputs;
        assert_eq!(points.len(), elements.len(), "one encoding for each point");
        assert_eq!(points.len(), outputs.len(), "one output for each input");

        let seed = seed(context, &key.public(), elements, outputs);
        let input_sum = self.weighted_sum_vartime(&coefficients(&seed, points.len()), points);
        let output_sum = key.whole() * input_sum;
        let nonce = proof_nonce(key, NONCE_LABEL, [&seed[..], &randomness[..]]);
        let r: &Scalar = &nonce; // by reference: a copy would not be erased
        let challenge = challenge(
            &seed,
            &[
                input_sum,
                output_sum,
                RistrettoPoint::mul_base(r),
                r * input_sum,
            ],
        );
        ChunkProof(respond(key, r, challenge))
    }

    /// Verifies that `outputs` are the `inputs` times the key of `public`, and decodes them. `inputs` are
    /// the points that were sent and their encodings.
    ///
    /// # Errors
    /// Every case of [`VerifyError`]: whatever a peer sends is an error, never a panic.
    ///
    /// # Panics
    /// If points and their encodings are not equally many, or are 2^32 or more.
    pub fn verify(
        &self,
        public: &PublicKey,
        context: &[u8],
        inputs: (&Points, &[Element]),
        outputs: &[Element],
        proof: &ChunkProof,
    ) -> Result<VerifiedPoints, VerifyError> {
        let (points, elements) = inputs;
        assert_eq!(points.len(), elements.len(), "one encoding for each point");
        if outputs.len() != points.len() {
            return Err(VerifyError::Count {
                inputs: points.len(),
                outputs: outputs.len(),
            });
        }
        let evaluated = self.decode(outputs)?;

        let seed = seed(context, public, elements, outputs);
        let coefficients = coefficients(&seed, points.len());
        let input_sum = self.weighted_sum_vartime(&coefficients, points);
        let output_sum = self.weighted_sum_vartime(&coefficients, &evaluated);
        let ProofScalars {
            challenge: claimed,
            response,
        } = proof.0;
        let commitment =
            RistrettoPoint::vartime_multiscalar_mul([response, claimed], [input_sum, output_sum]);
        let sums_and_commitments = [
            input_sum,
            output_sum,
            commitment_vartime(public, &proof.0),
            commitment,
        ];
        if challenge(&seed, &sums_and_commitments) != claimed {
            return Err(VerifyError::BadProof);
        }
        Ok(VerifiedPoints::from_verified(evaluated, *public))
    }
}

/// The digest of everything the proof speaks about.
fn seed(context: &[u8], public: &PublicKey, inputs: &[Element], outputs: &[Element]) -> [u8; 64] {
    let count = u32::try_from(inputs.len()).expect("a chunk has fewer than 2^32 elements");
    let mut hash = FramedSha512::new(SEED_LABEL);
    hash.part(context)
        .part(public.as_bytes())
        .part(&count.to_le_bytes())
        .part(inputs.as_flattened())
        .part(outputs.as_flattened());
    hash.finish()
}

/// The first `count` coefficients of a seed.
fn coefficients(seed: &[u8; 64], count: usize) -> Vec<u128> {
    let mut coefficients = Vec::with_capacity(count.next_multiple_of(COEFFICIENTS_PER_BLOCK));
    for block in (0u32..).take(count.div_ceil(COEFFICIENTS_PER_BLOCK)) {
        let hash = framed_sha512(COEFFICIENTS_LABEL, [&seed[..], &block.to_le_bytes()]);
        let (numbers, _) = hash.as_chunks::<COEFFICIENT_BYTES>();
        coefficients.extend(numbers.iter().map(|bytes| u128::from_le_bytes(*bytes)));
    }
    coefficients.truncate(count);
    coefficients
}

/// The challenge for `M, Z, A, B`.
fn challenge(seed: &[u8; 64], points: &[RistrettoPoint; 4]) -> Scalar {
    let mut hash = FramedSha512::new(CHALLENGE_LABEL);
    hash.part(seed);
    for point in points {
        hash.part(point.compress().as_bytes());
    }
    Scalar::from_bytes_mod_order_wide(&hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_are_prefixes_of_one_sequence_and_all_differ() {
        let seed = [7; 64];
        let all = coefficients(&seed, 41);
        for count in 0..=41 {
            assert_eq!(coefficients(&seed, count), all[..count]);
        }
        let mut sorted = all;
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 41);
    }
}
