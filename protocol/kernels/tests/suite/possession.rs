//! Proofs of possession.

use mandorla_kernels::{
    EvaluationKey, PossessionProof, ProofEncodingError, UnprovenPossession, prove_possession,
    verify_possession,
};
use proptest::prelude::*;

use crate::support::{CONTEXT, seeded, uniform};

proptest! {
    #[test]
    fn a_proof_holds_for_its_key_and_context_and_for_no_other(
        seed in any::<u64>(),
        context in proptest::collection::vec(any::<u8>(), 0..100),
        other_context in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        prop_assume!(context != other_context);
        let mut rng = seeded(seed);
        let (key, other) = (EvaluationKey::generate(&mut rng), EvaluationKey::generate(&mut rng));
        let proof = prove_possession(&key, &context, &uniform(&mut rng));
        let proof = PossessionProof::from_bytes(&proof.to_bytes()).unwrap();
        prop_assert_eq!(verify_possession(&key.public(), &context, &proof), Ok(()));
        prop_assert_eq!(
            verify_possession(&key.public(), &other_context, &proof),
            Err(UnprovenPossession)
        );
        prop_assert_eq!(
            verify_possession(&other.public(), &context, &proof),
            Err(UnprovenPossession)
        );
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut rng = seeded(14);
    let key = EvaluationKey::generate(&mut rng);
    let bytes = prove_possession(&key, CONTEXT, &uniform(&mut rng)).to_bytes();
    for bit in 0..512 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        match PossessionProof::from_bytes(&flipped) {
            Ok(proof) => assert_eq!(
                verify_possession(&key.public(), CONTEXT, &proof),
                Err(UnprovenPossession)
            ),
            Err(ProofEncodingError) => assert!(bit % 256 >= 252, "bit {bit}"),
        }
    }
}

#[test]
fn repeated_randomness_repeats_the_proof_and_another_context_takes_another_nonce() {
    let key = EvaluationKey::generate(&mut seeded(15));
    let proof = prove_possession(&key, CONTEXT, &[0; 32]);
    assert_eq!(proof, prove_possession(&key, CONTEXT, &[0; 32]));
    assert_ne!(proof, prove_possession(&key, CONTEXT, &[1; 32]));
    // Two proofs with one nonce would give the key away: k = (s − s') / (c' − c).
    let other = prove_possession(&key, b"another", &[0; 32]);
    assert_ne!(proof.to_bytes()[..32], other.to_bytes()[..32]);
    assert_ne!(key_from_a_shared_nonce(&proof, &other), *key.to_bytes());
}

fn key_from_a_shared_nonce(one: &PossessionProof, two: &PossessionProof) -> [u8; 32] {
    use curve25519_dalek::scalar::Scalar;
    let scalars = |proof: &PossessionProof| {
        let bytes = proof.to_bytes();
        let scalar = |half: &[u8]| Scalar::from_canonical_bytes(half.try_into().unwrap()).unwrap();
        (scalar(&bytes[..32]), scalar(&bytes[32..]))
    };
    let ((c1, s1), (c2, s2)) = (scalars(one), scalars(two));
    ((s1 - s2) * (c2 - c1).invert()).to_bytes()
}
