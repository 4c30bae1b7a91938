//! The transcripts of the protocol specification, byte for byte, against values from a second
//! implementation in another language (`transcripts/reference.py`).

use mandorla_kernels::{
    Blind, ChunkProof, EvaluationKey, PossessionProof, PublicKeyTable, prove_possession,
    verify_possession,
};
use sha2::{Digest, Sha256, Sha512};

use crate::support::{element, kernels, points_of};

const DST: &[u8] = b"transcripts";
const CONTEXT: &[u8] = b"context of the transcripts";

#[test]
fn the_possession_proof_is_the_specified_one() {
    let key = key();
    assert_eq!(key.public().to_bytes(), element(PUBLIC));
    let proof = prove_possession(&key, CONTEXT, &randomness());
    assert_eq!(hex::encode(proof.to_bytes()), POSSESSION);

    let parsed = PossessionProof::from_bytes(&from_hex(POSSESSION)).unwrap();
    assert_eq!(verify_possession(&key.public(), CONTEXT, &parsed), Ok(()));
}

#[test]
fn blinding_evaluation_proof_and_unblinding_are_the_specified_ones() {
    let key = key();
    let table = PublicKeyTable::new(&key.public());
    for kernel in kernels() {
        for chunk in CHUNKS {
            // Inputs "", "x", "xx", …; blinds SHA-512(0), SHA-512(1), …
            let all = "x".repeat(chunk.len);
            let inputs: Vec<&[u8]> = (0..chunk.len).map(|i| &all.as_bytes()[..i]).collect();
            let blinds: Vec<Blind> = (0u8..)
                .take(chunk.len)
                .map(|i| Blind::from_uniform_bytes(&Sha512::digest([i]).into()))
                .collect();

            let (points, blinded) = kernel.blind(DST, &inputs, &blinds);
            assert_eq!(digest(&blinded), chunk.blinded);
            let received = points_of(kernel, &blinded);
            let outputs = kernel.evaluate(&key, &received);
            assert_eq!(digest(&outputs), chunk.outputs);
            let proof = kernel.prove(
                &key,
                CONTEXT,
                (&received, &blinded),
                &outputs,
                &randomness(),
            );
            assert_eq!(hex::encode(proof.to_bytes()), chunk.proof);

            let proof = ChunkProof::from_bytes(&from_hex(chunk.proof)).unwrap();
            let verified = kernel
                .verify(
                    &key.public(),
                    CONTEXT,
                    (&points, &blinded),
                    &outputs,
                    &proof,
                )
                .unwrap();
            assert_eq!(
                digest(&kernel.unblind(&table, &verified, &blinds)),
                chunk.values
            );
            assert_eq!(digest(&kernel.derive(&key, DST, &inputs)), chunk.values);
        }
    }
}

fn key() -> EvaluationKey {
    EvaluationKey::from_bytes(&element(KEY)).unwrap()
}

/// The bytes 0, 1, …, 31.
fn randomness() -> [u8; 32] {
    std::array::from_fn(|i| i as u8)
}

fn digest(elements: &[[u8; 32]]) -> String {
    hex::encode(Sha256::digest(elements.as_flattened()))
}

fn from_hex(hexadecimal: &str) -> [u8; 64] {
    hex::decode(hexadecimal).unwrap().try_into().unwrap()
}

/// SHA-512("key") modulo the group order.
const KEY: &str = "db8a855a3652a8b4624150b311739e4b6c0e60c5b55cd4f3032471386bb3e50a";
const PUBLIC: &str = "7c84bb49e043d0a6a4f89be53bf32f9f0d8593aab0ff4f3b49ceb57705159742";
const POSSESSION: &str = "cb72d9218403c0350d6c702dc243482d75c83234d4a02bcabdd4edd509084809\
                          5229c523f3f7f4559f3a02d1585172f08da884a84a8e6d297b4b77ef49055103";

/// SHA-256 of the elements of each column, concatenated, and the proof.
struct Chunk {
    len: usize,
    blinded: &'static str,
    outputs: &'static str,
    values: &'static str,
    proof: &'static str,
}

const CHUNKS: [Chunk; 5] = [
    Chunk {
        len: 0,
        blinded: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        outputs: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        values: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        proof: "e6d3f8d5c94c1598949e381f01246167a6c508464c783822306542a1e69b280a\
                31390857fc0e95b1e94138803e8aeb17096b99cba05c733a14b0b64a2dd1f40e",
    },
    Chunk {
        len: 1,
        blinded: "4733cb4913b7e297f493b63b9140115969fac28b00889db96a8ec0c0aac8e1e9",
        outputs: "0e2457698e1ce14219cc824802e0dd6bb92d49920032d9daafda7256425982de",
        values: "c110c6aa08c1a1cacf435599fb5b69a018d39fc89c6a63114e1b50e7edffeee6",
        proof: "ef57763cf4119f7b943d950aaeb1fca85df52a15b48fc44b862bf02ffc3f9d0b\
                25c680e71152efaf0828dca592e1a66913dac812f8ce1f867492a33501b5760c",
    },
    Chunk {
        len: 4,
        blinded: "1587f1ec2269c9558e48a7561e4b617a3c338ca2a354372d50e19d9e3bbcf16c",
        outputs: "06ce580435c32107f9c5018d9e277dd362e2160e5bd346a4d5762a08584912d5",
        values: "798b92c970010f15d932d1a85afcced8c004941c923b3457ecb780b3b32d993f",
        proof: "75ba43aebfc64aab9385fedec3799a210a6f99dd16b59b15bd060801ea9b700e\
                a7660a091a6162eda77a346b02b5040bbdccabc19c74063f00f08c9ce71a9b02",
    },
    Chunk {
        len: 5,
        blinded: "530c91b4eed36a954636c11ba056d3d4476936f830a29559e9f55044d013761e",
        outputs: "f905d3464d9a6de4e2a917014c2d2849b6056483d799c5646687303682ed63ad",
        values: "03fca8a3a4ab0df0fe6c27e309eb60ad648d79b814518c6becb1447fc54ea511",
        proof: "0960387c1e818241679ae2800f32eb188baea9028ee9a47208bb572aed9d540a\
                5c57bbbbfbeeecab30bb72bc791123f79e5a4034ccc09ffe7f99b7c55f7b9a0e",
    },
    Chunk {
        len: 9,
        blinded: "ad43c77a906354e99f7174287bfb109b6c1201d620ca675484c9ae87bbdbba6e",
        outputs: "137eb4061e28e793c225610a71f70d25e88a2759b5a4e26a7a2ba5fbae795975",
        values: "ce99a0861d5de08b99a1877104fb135927af50596864f75e95d8b60dd2f59b9a",
        proof: "4d0c4d5fc9f669f275be6ccaebd55624a54c8671cea259a48f50cb89c49c490c\
                7d6cd9571ad80b05dea54cf4fc0f331ca52b781c5c252e3fe48cddbf3ca5bb05",
    },
];
