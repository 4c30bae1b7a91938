//! Level `scalar`: one element at a time with curve25519-dalek.
//!
//! What is saved here is the encoding: an inverse square root an element becomes one shared inversion a
//! block, by multiplying with `k/2` and letting the encoder double.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use zeroize::{Zeroize, Zeroizing};

use crate::hash_to_group::Expander;
use crate::{Blind, Element, PublicKeyTable};

/// Elements that share one inversion. Large enough that the inversion (some 260 multiplications) costs
/// each less than one, small enough that a block's 160-byte points stay in the second-level cache.
const BLOCK_ELEMENTS: usize = 512;

/// The encodings of `2·half·P` for each point.
pub(crate) fn evaluate(half: &Scalar, points: &[RistrettoPoint]) -> Vec<Element> {
    encode_multiples(half, points, |point| *point)
}

/// The encodings of `2·half·H(x)` for each input.
pub(crate) fn derive(half: &Scalar, expander: &Expander, inputs: &[&[u8]]) -> Vec<Element> {
    encode_multiples(half, inputs, |input| expander.hash_to_point(input))
}

fn encode_multiples<T>(
    half: &Scalar,
    items: &[T],
    to_point: impl Fn(&T) -> RistrettoPoint,
) -> Vec<Element> {
    let mut encoded = Vec::with_capacity(items.len());
    // Projective coordinates tell something of the scalar; erased on every path. The capacity is
    // never exceeded, so no copy is left behind by growing.
    let mut halves = Zeroizing::new(Vec::with_capacity(BLOCK_ELEMENTS.min(items.len())));
    for block in items.chunks(BLOCK_ELEMENTS) {
        halves.extend(block.iter().map(|item| {
            let mut point = to_point(item);
            let multiple = point * half;
            point.zeroize();
            multiple
        }));
        let doubled = RistrettoPoint::double_and_compress_batch(halves.iter());
        encoded.extend(doubled.iter().map(CompressedRistretto::to_bytes));
        halves.clear();
    }
    encoded
}

/// `H(x) + r·G` for each input and its blind.
pub(crate) fn blind(
    expander: &Expander,
    inputs: &[&[u8]],
    blinds: &[Blind],
) -> Vec<RistrettoPoint> {
    inputs
        .iter()
        .zip(blinds)
        .map(|(input, blind)| {
            let mut hashed = expander.hash_to_point(input);
            let mut mask = blind.multiply_generator();
            let blinded = hashed + mask;
            hashed.zeroize();
            mask.zeroize();
            blinded
        })
        .collect()
}

/// The encodings of `E − r·K` for each evaluation and its blind.
pub(crate) fn unblind(
    table: &PublicKeyTable,
    evaluated: &[RistrettoPoint],
    blinds: &[Blind],
) -> Vec<Element> {
    evaluated
        .iter()
        .zip(blinds)
        .map(|(point, blind)| {
            let mut mask = table.multiply(blind);
            let mut unblinded = point - mask;
            let element = unblinded.compress().to_bytes();
            mask.zeroize();
            unblinded.zeroize();
            element
        })
        .collect()
}

/// `Σ dᵢ·Pᵢ` over public values, in variable time.
pub(crate) fn weighted_sum_vartime(
    coefficients: &[u128],
    points: &[RistrettoPoint],
) -> RistrettoPoint {
    let scalars = coefficients.iter().copied().map(Scalar::from);
    RistrettoPoint::vartime_multiscalar_mul(scalars, points)
}

/// The encoding of each point.
pub(crate) fn encode(points: &[RistrettoPoint]) -> Vec<Element> {
    points
        .iter()
        .map(|point| point.compress().to_bytes())
        .collect()
}
