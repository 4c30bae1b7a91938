//! What the tests share: kernels of every level, keys and batches from seeds, the naive oracle.

use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::scalar::Scalar;
use mandorla_kernels::{Blind, Element, EvaluationKey, Kernel, Points, hash_to_group};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub(crate) const DST: &[u8] = b"mandorla-kernels test suite";
pub(crate) const CONTEXT: &[u8] = b"a round, a direction, a key type, a chunk";

/// A kernel for each level that this processor has.
pub(crate) fn kernels() -> Vec<Kernel> {
    let levels = Kernel::levels_available();
    levels.into_iter().filter_map(Kernel::at).collect()
}

pub(crate) fn seeded(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

pub(crate) fn element(hexadecimal: &str) -> Element {
    hex::decode(hexadecimal).unwrap().try_into().unwrap()
}

pub(crate) fn evaluation_key(scalar: Scalar) -> EvaluationKey {
    EvaluationKey::from_bytes(&scalar.to_bytes()).unwrap()
}

pub(crate) fn points_of(kernel: Kernel, elements: &[Element]) -> Points {
    kernel.decode(elements).unwrap()
}

/// `k·P` with nothing but decoding, multiplication and encoding.
pub(crate) fn naive_multiple(key: &EvaluationKey, element: &Element) -> Element {
    let scalar = Scalar::from_canonical_bytes(*key.to_bytes()).unwrap();
    let point = CompressedRistretto(*element).decompress().unwrap();
    (point * scalar).compress().to_bytes()
}

/// Inputs of lengths 0, 1, 2, … (modulo 150: past one block of SHA-512), with random content.
pub(crate) fn inputs(rng: &mut StdRng, len: usize) -> Vec<Vec<u8>> {
    (0..len)
        .map(|i| {
            let mut input = vec![0; i % 150];
            rng.fill_bytes(&mut input);
            input
        })
        .collect()
}

pub(crate) fn slices(inputs: &[Vec<u8>]) -> Vec<&[u8]> {
    inputs.iter().map(Vec::as_slice).collect()
}

pub(crate) fn blinds(rng: &mut StdRng, len: usize) -> Vec<Blind> {
    (0..len)
        .map(|_| Blind::from_uniform_bytes(&uniform(rng)))
        .collect()
}

/// Elements that nobody knows a discrete logarithm of.
pub(crate) fn elements(rng: &mut StdRng, len: usize) -> Vec<Element> {
    (0..len)
        .map(|_| hash_to_group(DST, &uniform::<32>(rng)).unwrap())
        .collect()
}

pub(crate) fn uniform<const N: usize>(rng: &mut StdRng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}
