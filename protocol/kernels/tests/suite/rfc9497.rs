//! RFC 9497, ristretto255-SHA512, modes OPRF and VOPRF, on top of the public interface: its vectors pass
//! through hashing, derivation, evaluation and key pairs of this crate. Mandorla itself blinds additively
//! and proves chunks in its own way; the RFC's blinding and proof are the reference in `reference`.

mod reference;
mod vectors;

use curve25519_dalek::scalar::Scalar;
use mandorla_kernels::{Kernel, PublicKey, hash_to_group};

use self::reference::{Suite, finalize, generate_proof, verify_proof};
use self::vectors::{Mode, OPRF, VOPRF, Values};
use crate::support::{element, evaluation_key, kernels, points_of};

#[test]
fn the_key_pair_is_derived_from_the_seed() {
    for (suite, mode) in modes() {
        let derived = suite.derive_key(&bytes(mode.seed), &bytes(mode.key_info));
        assert_eq!(derived, scalar(mode.secret_key));
        if let Some(public_key) = mode.public_key {
            assert_eq!(
                evaluation_key(derived).public().to_bytes(),
                element(public_key)
            );
        }
    }
}

#[test]
fn the_rfcs_blinding_evaluation_and_finalization_give_the_published_values() {
    for (suite, mode) in modes() {
        let key = evaluation_key(scalar(mode.secret_key));
        for kernel in kernels() {
            for values in all_values(mode) {
                let input = bytes(values.input);
                let blind = scalar(values.blind);

                // The RFC blinds by multiplication: r·H(x), and then by 1/r.
                let hashed = hash_to_group(&suite.group_tag(), &input).unwrap();
                let blinded = multiply(kernel, blind, hashed);
                assert_eq!(blinded, element(values.blinded));
                let derived = kernel.derive(&evaluation_key(blind), &suite.group_tag(), &[&input]);
                assert_eq!(derived, [blinded]);

                let evaluated = kernel.evaluate(&key, &points_of(kernel, &[blinded]));
                assert_eq!(evaluated, [element(values.evaluated)]);

                let unblinded = multiply(kernel, blind.invert(), evaluated[0]);
                assert_eq!(finalize(&input, &unblinded), bytes(values.output));
            }
        }
    }
}

#[test]
fn the_key_holders_own_derivation_gives_the_published_output() {
    for (suite, mode) in modes() {
        let key = evaluation_key(scalar(mode.secret_key));
        for kernel in kernels() {
            for values in all_values(mode) {
                let input = bytes(values.input);
                let derived = kernel.derive(&key, &suite.group_tag(), &[&input]);
                assert_eq!(finalize(&input, &derived[0]), bytes(values.output));
            }
        }
    }
}

#[test]
fn the_rfcs_batch_proof_is_the_published_one_and_verifies() {
    let suite = Suite::VOPRF;
    let key = scalar(VOPRF.secret_key);
    let public = PublicKey::from_bytes(&element(VOPRF.public_key.unwrap())).unwrap();
    let mut batch_lengths = Vec::new();
    for vector in VOPRF.vectors {
        let published = vector.proof.as_ref().unwrap();
        let blinded: Vec<_> = vector.elements.iter().map(|v| element(v.blinded)).collect();
        let evaluated: Vec<_> = vector
            .elements
            .iter()
            .map(|v| element(v.evaluated))
            .collect();

        let nonce = scalar(published.random_scalar);
        let proof = generate_proof(suite, &key, &blinded, &evaluated, &nonce);
        assert_eq!(proof.to_vec(), bytes(published.bytes));
        assert!(verify_proof(
            suite,
            &public.to_bytes(),
            &blinded,
            &evaluated,
            &proof
        ));

        let mut forged = proof;
        forged[40] ^= 1;
        assert!(!verify_proof(
            suite,
            &public.to_bytes(),
            &blinded,
            &evaluated,
            &forged
        ));
        assert!(!verify_proof(
            suite,
            &public.to_bytes(),
            &evaluated,
            &blinded,
            &proof
        ));
        batch_lengths.push(vector.elements.len());
    }
    assert_eq!(batch_lengths, [1, 1, 2]);
}

fn modes() -> [(Suite, &'static Mode); 2] {
    [(Suite::OPRF, &OPRF), (Suite::VOPRF, &VOPRF)]
}

fn all_values(mode: &'static Mode) -> impl Iterator<Item = &'static Values> {
    mode.vectors.iter().flat_map(|vector| vector.elements)
}

fn multiply(kernel: Kernel, factor: Scalar, point: [u8; 32]) -> [u8; 32] {
    kernel.evaluate(&evaluation_key(factor), &points_of(kernel, &[point]))[0]
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    hex::decode(hexadecimal).unwrap()
}

fn scalar(hexadecimal: &str) -> Scalar {
    Scalar::from_canonical_bytes(element(hexadecimal)).unwrap()
}
