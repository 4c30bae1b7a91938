//! What a peer can send wrongly, and that it is refused.

use curve25519_dalek::scalar::Scalar;
use mandorla_kernels::{
    BadElement, ChunkProof, Element, EvaluationKey, Kernel, KeyError, Points, ProofEncodingError,
    PublicKey, VerifyError,
};

use crate::support::{CONTEXT, elements, kernels, points_of, seeded, uniform};

/// A chunk with its true outputs and proof.
struct Chunk {
    kernel: Kernel,
    key: EvaluationKey,
    points: Points,
    inputs: Vec<Element>,
    outputs: Vec<Element>,
    proof: ChunkProof,
}

const LEN: usize = 11;

fn chunks() -> impl Iterator<Item = Chunk> {
    kernels().into_iter().map(|kernel| {
        let mut rng = seeded(7);
        let key = EvaluationKey::generate(&mut rng);
        let inputs = elements(&mut rng, LEN);
        let points = points_of(kernel, &inputs);
        let outputs = kernel.evaluate(&key, &points);
        let proof = kernel.prove(
            &key,
            CONTEXT,
            (&points, &inputs),
            &outputs,
            &uniform(&mut rng),
        );
        Chunk {
            kernel,
            key,
            points,
            inputs,
            outputs,
            proof,
        }
    })
}

impl Chunk {
    fn verify_outputs(&self, outputs: &[Element]) -> Result<(), VerifyError> {
        self.verify(&self.key.public(), CONTEXT, outputs, &self.proof)
    }

    fn verify(
        &self,
        public: &PublicKey,
        context: &[u8],
        outputs: &[Element],
        proof: &ChunkProof,
    ) -> Result<(), VerifyError> {
        let inputs = (&self.points, &self.inputs[..]);
        self.kernel
            .verify(public, context, inputs, outputs, proof)
            .map(drop)
    }
}

#[test]
fn the_true_chunk_is_accepted() {
    // What the refusals below change one thing of.
    for chunk in chunks() {
        assert_eq!(chunk.verify_outputs(&chunk.outputs), Ok(()));
    }
}

#[test]
fn a_wrong_output_is_refused_at_every_position() {
    for chunk in chunks() {
        let wrong = elements(&mut seeded(8), 1)[0];
        for index in 0..LEN {
            let mut outputs = chunk.outputs.clone();
            outputs[index] = wrong;
            assert_eq!(chunk.verify_outputs(&outputs), Err(VerifyError::BadProof));
        }
    }
}

#[test]
fn swapped_outputs_are_refused() {
    for chunk in chunks() {
        for other in 1..LEN {
            let mut outputs = chunk.outputs.clone();
            outputs.swap(0, other);
            assert_eq!(chunk.verify_outputs(&outputs), Err(VerifyError::BadProof));
        }
    }
}

#[test]
fn outputs_of_another_key_are_refused_even_with_that_keys_own_proof() {
    for chunk in chunks() {
        let mut rng = seeded(9);
        let other = EvaluationKey::generate(&mut rng);
        let outputs = chunk.kernel.evaluate(&other, &chunk.points);
        let inputs = (&chunk.points, &chunk.inputs[..]);
        let proof = chunk
            .kernel
            .prove(&other, CONTEXT, inputs, &outputs, &uniform(&mut rng));
        assert_eq!(
            chunk.verify(&other.public(), CONTEXT, &outputs, &proof),
            Ok(())
        );
        assert_eq!(
            chunk.verify(&chunk.key.public(), CONTEXT, &outputs, &proof),
            Err(VerifyError::BadProof)
        );
    }
}

#[test]
fn a_proof_made_over_outputs_of_another_key_does_not_hold() {
    // The key holder tags one subject by answering it with another key, and proves as if nothing were.
    for chunk in chunks() {
        let mut rng = seeded(10);
        let other = EvaluationKey::generate(&mut rng);
        let mut outputs = chunk.outputs.clone();
        outputs[3] = chunk.kernel.evaluate(&other, &chunk.points)[3];
        let inputs = (&chunk.points, &chunk.inputs[..]);
        let proof = chunk
            .kernel
            .prove(&chunk.key, CONTEXT, inputs, &outputs, &uniform(&mut rng));
        assert_eq!(
            chunk.verify(&chunk.key.public(), CONTEXT, &outputs, &proof),
            Err(VerifyError::BadProof)
        );
    }
}

#[test]
fn the_proof_holds_in_no_other_context_and_for_no_other_inputs_or_key() {
    for chunk in chunks() {
        let bad = Err(VerifyError::BadProof);
        let public = chunk.key.public();
        for context in [&b""[..], b"another", &CONTEXT[1..]] {
            assert_eq!(
                chunk.verify(&public, context, &chunk.outputs, &chunk.proof),
                bad
            );
        }
        let other = EvaluationKey::generate(&mut seeded(11)).public();
        assert_eq!(
            chunk.verify(&other, CONTEXT, &chunk.outputs, &chunk.proof),
            bad
        );

        let inputs = elements(&mut seeded(12), LEN);
        let points = points_of(chunk.kernel, &inputs);
        let verified = chunk.kernel.verify(
            &public,
            CONTEXT,
            (&points, &inputs),
            &chunk.outputs,
            &chunk.proof,
        );
        assert_eq!(verified.map(drop), bad);
    }
}

#[test]
fn every_flipped_bit_of_a_proof_is_refused() {
    for chunk in chunks() {
        let mut parsed_count = 0;
        for bit in 0..512 {
            let mut bytes = chunk.proof.to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(proof) = ChunkProof::from_bytes(&bytes) {
                parsed_count += 1;
                assert_eq!(
                    chunk.verify(&chunk.key.public(), CONTEXT, &chunk.outputs, &proof),
                    Err(VerifyError::BadProof),
                    "bit {bit}"
                );
            }
        }
        // Only the highest bits can make a scalar non-canonical.
        assert!(
            parsed_count >= 2 * 252,
            "{parsed_count} proofs reached the verifier"
        );
    }
}

#[test]
fn a_proof_with_a_scalar_that_is_not_canonical_does_not_parse() {
    for chunk in chunks() {
        let bytes = chunk.proof.to_bytes();
        for half in [0..32, 32..64] {
            // The same scalar plus the group order, and the order itself.
            let mut raised = bytes;
            add_group_order(&mut raised[half.clone()]);
            assert_eq!(ChunkProof::from_bytes(&raised), Err(ProofEncodingError));
            let mut order = bytes;
            order[half.clone()].copy_from_slice(&GROUP_ORDER);
            assert_eq!(ChunkProof::from_bytes(&order), Err(ProofEncodingError));
            let mut ones = bytes;
            ones[half].fill(0xff);
            assert_eq!(ChunkProof::from_bytes(&ones), Err(ProofEncodingError));
        }
        assert_eq!(ChunkProof::from_bytes(&bytes), Ok(chunk.proof));
    }
}

#[test]
fn an_identity_or_bad_encoding_among_the_outputs_is_refused_at_every_position_and_named() {
    for chunk in chunks() {
        let identity = [0; 32];
        let negative = [1; 32];
        let non_canonical = [0xff; 32];
        for bad in [identity, negative, non_canonical] {
            for index in 0..LEN {
                let mut outputs = chunk.outputs.clone();
                outputs[index] = bad;
                assert_eq!(
                    chunk.verify_outputs(&outputs),
                    Err(VerifyError::BadOutput(BadElement { index }))
                );
                let mut inputs = chunk.inputs.clone();
                inputs[index] = bad;
                assert_eq!(
                    chunk.kernel.decode(&inputs).err(),
                    Some(BadElement { index })
                );
            }
        }
    }
}

#[test]
fn too_few_or_too_many_outputs_are_refused() {
    for chunk in chunks() {
        for outputs in [
            &chunk.outputs[..LEN - 1],
            &[],
            &[&chunk.outputs[..], &chunk.outputs].concat(),
        ] {
            let error = VerifyError::Count {
                inputs: LEN,
                outputs: outputs.len(),
            };
            assert_eq!(chunk.verify_outputs(outputs), Err(error));
        }
    }
}

#[test]
fn keys_that_no_evaluation_may_use_are_refused() {
    let refused = |bytes: &[u8; 32]| EvaluationKey::from_bytes(bytes).unwrap_err();
    assert_eq!(refused(&[0; 32]), KeyError::Forbidden);
    let minus_two = -Scalar::from(2u8);
    assert_eq!(refused(&minus_two.to_bytes()), KeyError::Forbidden);
    assert_eq!(refused(&GROUP_ORDER), KeyError::NotCanonical);
    assert_eq!(refused(&[0xff; 32]), KeyError::NotCanonical);

    let mut raised = Scalar::from(77u8).to_bytes();
    add_group_order(&mut raised);
    assert_eq!(refused(&raised), KeyError::NotCanonical);

    assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(KeyError::BadPublicKey));
    assert_eq!(PublicKey::from_bytes(&[1; 32]), Err(KeyError::BadPublicKey));
}

#[test]
fn a_key_comes_back_from_its_bytes_and_its_debug_output_does_not_show_them() {
    let key = EvaluationKey::generate(&mut seeded(13));
    let again = EvaluationKey::from_bytes(&key.to_bytes()).unwrap();
    assert_eq!(again.public(), key.public());
    assert_eq!(again.to_bytes(), key.to_bytes());

    let debug = format!("{key:?}");
    assert!(debug.contains(&hex::encode(key.public().to_bytes())));
    assert!(!debug.contains(&hex::encode(*key.to_bytes())));
    assert!(!debug.contains(&format!("{:?}", &key.to_bytes()[..4])));
}

/// RFC 9496, section 4.1: 2^252 + 27742317777372353535851937790883648493, little-endian.
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn add_group_order(bytes: &mut [u8]) {
    let mut carry = 0u16;
    for (byte, order) in bytes.iter_mut().zip(GROUP_ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
}
