//! Bytes from anywhere: they decode to a message that encodes to them again, or they are refused; nothing is
//! allocated on the word of a length.

use mandorla_protocol::{
    CONTROL_BYTES_MAX, CodecError, Digest, FACTS_MAX, FactName, FactState, Message,
    PAIR_HASHES_MAX, PAIR_LEAVES_MAX, Package, PendingFact, PublicKeys, Receipt, RoundId,
    SignedSuccession, Succession, decode, encode,
};
use proptest::prelude::*;

use super::plan;
use super::world::World;

/// Every control message of a round, and those that a round does not need.
fn samples() -> Vec<Vec<u8>> {
    let mut world = World::new(plan(1));
    world.run().unwrap();
    let messages = world.transcript.iter().map(|(_, bytes)| bytes.clone());
    let mut samples: Vec<_> = messages
        .filter(|bytes| Message::from_bytes(bytes).is_ok())
        .collect();
    let rest = [
        Message::Ping { nonce: 1 },
        Message::Pong { nonce: 1, time: 2 },
        Message::Withdraw {
            reason: 1,
            signature: [3; 64],
        },
        Message::WithdrawAck,
        Message::Refuse { code: 4 },
        Message::Done,
        Message::Succeed(Box::new(SignedSuccession {
            statement: Succession {
                party: "UK".to_owned(),
                sequence: 1,
                old: keys(1),
                new: keys(2),
                issued: 3,
                overlap_until: 4,
            },
            by_old: [5; 64],
            by_new: [6; 64],
        })),
        Message::Succeeded {
            countersignature: [7; 64],
        },
        Message::PairState { log: 0 },
        Message::PairStateIs {
            size: 2,
            offered: 3,
            checkpoint: "note".to_owned(),
        },
        Message::PairHashes {
            log: 1,
            first: 0,
            count: PAIR_HASHES_MAX,
        },
        Message::PairHashesAre {
            hashes: vec![Digest([5; 32]); 2],
        },
        Message::PairLeaves {
            log: 1,
            first: 0,
            count: 1,
        },
        Message::PairLeavesAre {
            leaves: vec![vec![6; 160]],
        },
        Message::PairPending {
            log: 0,
            facts: vec![PendingFact {
                name: FactName {
                    kind: 1,
                    index: 0,
                    round_id: RoundId([7; 32]),
                },
                leaf: Digest([8; 32]),
            }],
        },
        Message::PairKnown {
            states: vec![FactState::Same, FactState::InLog],
        },
    ];
    samples.extend(rest.iter().map(Message::to_bytes));
    samples
}

#[track_caller]
fn assert_refused_or_canonical(bytes: &[u8]) {
    if let Ok(message) = Message::from_bytes(bytes) {
        assert_eq!(message.to_bytes(), bytes);
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn keys(of: u8) -> PublicKeys {
    PublicKeys {
        signing: [of; 32],
        transport: [of + 10; 32],
        release: [of + 20; 32],
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn bytes_from_anywhere_are_refused_or_canonical(
        index in 0_u32..34,
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        assert_refused_or_canonical(&bytes);
        assert_refused_or_canonical(&[&index.to_le_bytes()[..], &bytes].concat());
    }

    #[test]
    fn messages_of_short_lists_and_strings_come_back(
        facts in prop::collection::vec((any::<u8>(), any::<u8>(), any::<[u8; 32]>()), 0..40),
        checkpoint: String,
        digest: [u8; 32],
        signature in prop::collection::vec(any::<u8>(), 64),
        slot: u8,
    ) {
        let signature: [u8; 64] = signature.try_into().unwrap();
        let facts = facts
            .into_iter()
            .map(|(kind, index, id)| FactName { kind, index, round_id: RoundId(id) })
            .collect();
        let receipt = Receipt {
            slot,
            answer_digest: Digest(digest),
            ledger_commitment: Digest(digest),
            signature,
        };
        for message in [Message::PairOffer { facts, checkpoint }, Message::Receipt(receipt)] {
            assert_eq!(Message::from_bytes(&message.to_bytes()), Ok(message));
        }
    }
}

#[test]
fn a_message_of_a_round_with_bytes_changed_is_refused_or_canonical() {
    let samples = samples();
    let edits = (0..samples.len(), any::<u16>(), any::<u8>(), 0..4_u8);
    let mut runner = proptest::test_runner::TestRunner::new(config());
    runner
        .run(&edits, |(sample, at, byte, edit)| {
            let mut bytes = samples[sample].clone();
            let at = usize::from(at) % bytes.len();
            match edit {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
            assert_refused_or_canonical(&bytes);
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_samples_cover_every_message() {
    let indices: std::collections::BTreeSet<_> = samples()
        .iter()
        .map(|bytes| u32::from_le_bytes(bytes[..4].try_into().unwrap()))
        .collect();
    assert!(indices.into_iter().eq(0..31));
    assert_eq!(
        Message::from_bytes(&31_u32.to_le_bytes()),
        Err(CodecError::Invalid)
    );
}

#[test]
fn a_length_is_not_believed() {
    // Lists of facts (15) and of proofs (4), strings (16): where the length stands in each.
    // Likewise the party of a succession (21), hashes (26), leaves (28), pending facts (29) and their states (30).
    for (index, before) in [
        (15_u32, 0),
        (16, 0),
        (4, 128),
        (21, 0),
        (26, 0),
        (28, 0),
        (29, 1),
        (30, 0),
    ] {
        for length in [u64::MAX, 1 << 62, 1 << 48, 1 << 40, 1 << 33, 65_537, 4_096] {
            let mut bytes = index.to_le_bytes().to_vec();
            bytes.resize(4 + before, 0);
            bytes.extend_from_slice(&length.to_le_bytes());
            assert_eq!(Message::from_bytes(&bytes), Err(CodecError::Invalid));
        }
    }
}

/// The same bytes as `tests/reference/selftest.py` has written out by hand from the specification.
#[test]
fn reconciling_messages_have_the_bytes_of_the_specification() {
    let round_id = RoundId([2; 32]);
    let name = FactName {
        kind: 4,
        index: 1,
        round_id,
    };
    let (ones, twos) = ("01".repeat(32), "02".repeat(32));
    let written = [
        (
            Message::PairStateIs {
                size: 2,
                offered: 3,
                checkpoint: "n".to_owned(),
            },
            "18000000020000000000000003000000000000000100000000000000".to_owned() + "6e",
        ),
        (
            Message::PairHashes {
                log: 0,
                first: 5,
                count: 1024,
            },
            "190000000005000000000000000004".to_owned(),
        ),
        (
            Message::PairLeavesAre {
                leaves: vec![vec![7, 8], Vec::new()],
            },
            "1c0000000200000000000000020000000000000007080000000000000000".to_owned(),
        ),
        (
            Message::PairPending {
                log: 0,
                facts: vec![PendingFact {
                    name,
                    leaf: Digest([1; 32]),
                }],
            },
            format!("1d0000000001000000000000000401{twos}{ones}"),
        ),
        (
            Message::PairKnown {
                states: vec![FactState::Unknown, FactState::InLog],
            },
            "1e00000002000000000000000000000004000000".to_owned(),
        ),
    ];
    for (message, expected) in written {
        let expected = hex::decode(expected).unwrap();
        assert_eq!(message.to_bytes(), expected, "{}", message.name());
    }
}

#[test]
fn the_largest_replies_about_a_pair_log_fit_a_frame() {
    let name = FactName {
        kind: 1,
        index: 0,
        round_id: RoundId([7; 32]),
    };
    let leaf = Digest([8; 32]);
    for message in [
        Message::PairHashesAre {
            hashes: vec![leaf; PAIR_HASHES_MAX.into()],
        },
        Message::PairLeavesAre {
            leaves: vec![vec![9; 190]; PAIR_LEAVES_MAX.into()],
        },
        Message::PairPending {
            log: 0,
            facts: vec![PendingFact { name, leaf }; FACTS_MAX],
        },
        Message::PairKnown {
            states: vec![FactState::InLog; FACTS_MAX],
        },
    ] {
        let bytes = message.to_bytes();
        assert!(bytes.len() <= CONTROL_BYTES_MAX, "{}", message.name());
        assert_eq!(Message::from_bytes(&bytes), Ok(message));
    }
}

#[test]
fn a_frame_holds_so_many_bytes_and_no_more() {
    let accept = |length| Message::PairAccept {
        signature_line: "x".repeat(length),
    };
    let fits = accept(CONTROL_BYTES_MAX - 12);
    assert_eq!(Message::from_bytes(&fits.to_bytes()), Ok(fits));
    let long = accept(CONTROL_BYTES_MAX - 11).to_bytes();
    assert_eq!(
        Message::from_bytes(&long),
        Err(CodecError::TooLong(CONTROL_BYTES_MAX + 1))
    );
    let continued = [Message::Done.to_bytes(), vec![0]].concat();
    assert_eq!(Message::from_bytes(&continued), Err(CodecError::LeftOver));
}

#[test]
fn what_can_be_encoded_within_a_frame_can_be_decoded() {
    // Short strings take more room in memory than on the wire.
    let package = Package {
        fields: vec![("aliases".into(), vec![String::new(); 8_000])],
        conflicting_types: 0,
        handling: String::new(),
    };
    let bytes = encode(&package);
    assert!(bytes.len() <= CONTROL_BYTES_MAX);
    assert_eq!(decode(&bytes), Ok(package));
    let package = Package {
        fields: vec![(String::new(), Vec::new()); 4_000],
        conflicting_types: 0,
        handling: String::new(),
    };
    assert_eq!(decode(&encode(&package)), Ok(package));
}
