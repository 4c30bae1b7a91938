//! The law of the whole: what the responder unblinds is what the requester derives.

use mandorla_kernels::{ChunkProof, EvaluationKey, PublicKey, PublicKeyTable};
use proptest::prelude::*;

use crate::support::{
    CONTEXT, DST, blinds, elements, inputs, kernels, naive_multiple, points_of, seeded, slices,
    uniform,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn unblinding_a_verified_evaluation_of_a_blinded_input_gives_what_the_key_holder_derives(
        seed in any::<u64>(),
        len in 0usize..70,
        context in proptest::collection::vec(any::<u8>(), 0..100),
        dst in proptest::collection::vec(any::<u8>(), 1..300),
    ) {
        let mut rng = seeded(seed);
        let key = EvaluationKey::generate(&mut rng);
        let inputs = inputs(&mut rng, len);
        let blinds = blinds(&mut rng, len);
        // Everything that the other side receives goes through bytes.
        let public = PublicKey::from_bytes(&key.public().to_bytes()).unwrap();
        let table = PublicKeyTable::new(&public);
        for kernel in kernels() {
            let (points, blinded) = kernel.blind(&dst, &slices(&inputs), &blinds);

            let received = points_of(kernel, &blinded);
            let outputs = kernel.evaluate(&key, &received);
            let proof =
                kernel.prove(&key, &context, (&received, &blinded), &outputs, &uniform(&mut rng));

            let proof = ChunkProof::from_bytes(&proof.to_bytes()).unwrap();
            let verified = kernel
                .verify(&public, &context, (&points, &blinded), &outputs, &proof)
                .unwrap();
            prop_assert_eq!(verified.len(), len);
            prop_assert_eq!(
                kernel.unblind(&table, &verified, &blinds),
                kernel.derive(&key, &dst, &slices(&inputs))
            );
        }
    }

    #[test]
    fn evaluating_is_naive_multiplication(seed in any::<u64>(), len in 0usize..70) {
        let mut rng = seeded(seed);
        let key = EvaluationKey::generate(&mut rng);
        let batch = elements(&mut rng, len);
        let expected: Vec<_> = batch.iter().map(|e| naive_multiple(&key, e)).collect();
        for kernel in kernels() {
            prop_assert_eq!(kernel.evaluate(&key, &points_of(kernel, &batch)), expected.clone());
        }
    }
}

#[test]
fn another_tag_derives_other_values() {
    let mut rng = seeded(5);
    let key = EvaluationKey::generate(&mut rng);
    for kernel in kernels() {
        let one = kernel.derive(&key, b"one tag", &[b"x"]);
        assert_eq!(one, kernel.derive(&key, b"one tag", &[b"x"]));
        assert_ne!(one, kernel.derive(&key, b"another tag", &[b"x"]));
    }
}

#[test]
#[should_panic(expected = "the table of the key that was verified")]
fn unblinding_with_the_table_of_another_key_is_a_programming_error() {
    let mut rng = seeded(6);
    let (key, other) = (
        EvaluationKey::generate(&mut rng),
        EvaluationKey::generate(&mut rng),
    );
    let kernel = kernels()[0];
    let blinds = blinds(&mut rng, 1);
    let (points, blinded) = kernel.blind(DST, &[b"x"], &blinds);
    let outputs = kernel.evaluate(&key, &points);
    let proof = kernel.prove(
        &key,
        CONTEXT,
        (&points, &blinded),
        &outputs,
        &uniform(&mut rng),
    );
    let verified = kernel
        .verify(
            &key.public(),
            CONTEXT,
            (&points, &blinded),
            &outputs,
            &proof,
        )
        .unwrap();
    let _ = kernel.unblind(&PublicKeyTable::new(&other.public()), &verified, &blinds);
}
