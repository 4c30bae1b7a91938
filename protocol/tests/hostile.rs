//! Lies of either side, told by a table: each is found out at the step it is told, and the one who told it is named.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its shared functions too"
)]

#[allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its part of the world"
)]
#[path = "world/world.rs"]
mod world;

use mandorla_protocol::checkpoint::Checkpoint;
use mandorla_protocol::responder::{Blinding, BlindingRecord};
use mandorla_protocol::{
    AgreedKey, Answer, CHUNK_HEADER_BYTES, ChunkHeader, Digest, LocalFault, Matcher, Message,
    PeerFault, ProtocolError, QuestionFault, Refusal, Role, decode, encode,
};
use world::{
    Decision, Forged, Plan, Stop, Subject, World, forged_cells, sign_answer, subject, terms_of,
};

fn people(range: std::ops::Range<usize>) -> Vec<Subject> {
    range
        .map(|n| subject(&[(0, &format!("P{n:05}")), (1, &format!("NAME {n} 1987"))]))
        .collect()
}

/// Eight rows of the first two key types, four of the third, which nobody has.
fn plan(seed: u64) -> Plan {
    let mut plan = Plan::new(seed, people(0..5), people(3..9));
    plan.slots_s = vec![1_000, 2_000];
    plan
}

fn stop_of(
    plan: Plan,
    message: &'static str,
    mut tell: impl FnMut(&mut Vec<u8>) + 'static,
) -> Stop {
    let tamper = move |name: &str, bytes: &mut Vec<u8>| {
        if name == message {
            tell(bytes);
        }
    };
    let outcome = World::tampered(plan, tamper).run();
    outcome.map(|_| ()).expect_err(message)
}

type Lie = (&'static str, fn(&mut Vec<u8>));

/// Each lie is found out by `side` in the message that carries it, with this fault.
fn assert_found_out(side: Role, fault: impl Into<ProtocolError>, lies: &[Lie]) {
    let why = fault.into();
    for (number, &(message, tell)) in lies.iter().enumerate() {
        let expected = Stop {
            side,
            step: message.to_owned(),
            why: why.clone(),
        };
        assert_eq!(stop_of(plan(1), message, tell), expected, "lie {number}");
    }
}

const DOCS: ChunkHeader = ChunkHeader {
    key_type: 0,
    chunk: 0,
    rows: 8,
};
const IDENTITY: [u8; 32] = [0; 32];
/// The field's prime: another encoding of zero.
const PRIME: [u8; 32] = {
    let mut bytes = [0xff; 32];
    (bytes[0], bytes[31]) = (0xed, 0x7f);
    bytes
};
/// One: odd, so not the encoding of any element.
const NEGATIVE: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

#[test]
fn a_bad_element_ends_the_round_and_names_its_place() {
    for element in [IDENTITY, PRIME, NEGATIVE, [0xff; 32]] {
        for index in [0, 3, 7] {
            let fault = PeerFault::BadElement {
                chunk: DOCS,
                index: u32::try_from(index).unwrap(),
            };
            for (side, message, start) in [
                (Role::Requester, "chunk-request 0 0", CHUNK_HEADER_BYTES),
                (Role::Responder, "chunk-reply 0 0", 0),
            ] {
                let at = start + 32 * index;
                let stop = stop_of(plan(1), message, move |bytes| {
                    bytes[at..at + 32].copy_from_slice(&element);
                });
                assert_eq!((stop.side, stop.fault()), (side, fault));
            }
        }
    }
}

#[test]
fn a_chunk_that_the_terms_do_not_have_is_refused() {
    let unknown = |key_type, chunk, rows| {
        PeerFault::UnknownChunk(ChunkHeader {
            key_type,
            chunk,
            rows,
        })
    };
    let name = "chunk-request 0 0";
    assert_found_out(Role::Requester, unknown(9, 0, 8), &[(name, |b| b[1] = 9)]);
    assert_found_out(Role::Requester, unknown(0, 1, 8), &[(name, |b| b[4] = 1)]);
    let rows: Lie = (name, |b| {
        b[8] = 7;
        b.truncate(CHUNK_HEADER_BYTES + 32 * 7);
    });
    assert_found_out(Role::Requester, unknown(0, 0, 7), &[rows]);
    let no_chunk = PeerFault::Unexpected {
        got: "another stream",
        expected: "a chunk",
    };
    assert_found_out(
        Role::Requester,
        no_chunk,
        &[(name, |b| b[0] = 2), (name, |b| b[2] = 1)],
    );
}

#[test]
fn a_chunk_or_reply_of_another_length_is_refused() {
    let length = |what, expected, got| PeerFault::Length {
        what,
        expected,
        got,
    };
    let request = "chunk-request 0 0";
    let (short, long): (Lie, Lie) = (
        (request, |b| b.truncate(b.len() - 32)),
        (request, |b| b.extend([0; 32])),
    );
    assert_found_out(Role::Requester, length("a chunk", 256, 224), &[short]);
    assert_found_out(Role::Requester, length("a chunk", 256, 288), &[long]);
    let ragged: Lie = (request, |b| b.push(0));
    let stream = length("a chunk's stream", 268, 269);
    assert_found_out(Role::Requester, stream, &[ragged]);

    let reply = "chunk-reply 0 0";
    let what = "an evaluated chunk";
    let (short, long): (Lie, Lie) = ((reply, |b| b.truncate(319)), (reply, |b| b.push(0)));
    assert_found_out(Role::Responder, length(what, 320, 319), &[short]);
    assert_found_out(Role::Responder, length(what, 320, 321), &[long]);
    let empty: Lie = (reply, Vec::clear);
    assert_found_out(Role::Responder, length(what, 320, 0), &[empty]);
}

#[test]
fn an_evaluation_that_its_proof_does_not_cover_is_refused() {
    let reply = "chunk-reply 0 0";
    let lies: [Lie; 6] = [
        // Two outputs changed places; one repeated; the proof's challenge, its response; no proof; unreduced scalars.
        (reply, |b| {
            let (one, other) = b.split_at_mut(32);
            one.swap_with_slice(&mut other[..32]);
        }),
        (reply, |b| b.copy_within(0..32, 32)),
        (reply, |b| b[256] ^= 1),
        (reply, |b| b[288] ^= 1),
        (reply, |b| b[256..].fill(0)),
        (reply, |b| b[256..].fill(0xff)),
    ];
    assert_found_out(Role::Responder, PeerFault::ChunkProof(DOCS), &lies);

    // The requester evaluated something else than was asked: rows in another order, or as another key type.
    for tell in [
        |b: &mut Vec<u8>| {
            let (one, other) = b[CHUNK_HEADER_BYTES..].split_at_mut(32);
            one.swap_with_slice(&mut other[..32]);
        },
        |b: &mut Vec<u8>| b[1] = 1,
    ] {
        let stop = stop_of(plan(1), "chunk-request 0 0", tell);
        assert_eq!(stop.side, Role::Responder);
        assert_eq!(stop.fault(), PeerFault::ChunkProof(DOCS));
    }
}

#[test]
fn the_proof_of_one_chunk_is_no_proof_of_another() {
    let mut proof = Vec::new();
    let mut world = World::tampered(plan(1), move |name, bytes| match name {
        "chunk-reply 0 0" => proof = bytes[256..].to_vec(),
        "chunk-reply 1 0" => bytes[256..].copy_from_slice(&proof),
        _ => {}
    });
    let stop = world.run().map(|_| ()).unwrap_err();
    let names = ChunkHeader {
        key_type: 1,
        ..DOCS
    };
    assert_eq!(stop.fault(), PeerFault::ChunkProof(names));
}

#[test]
fn a_chunk_is_answered_once() {
    let mut world = World::new(plan(2));
    let (mut evaluating, blinding) = world.open().unwrap();
    let request = world.blind(&blinding, DOCS).to_bytes();
    let reply = world.reply_to(&mut evaluating, &request).unwrap();
    let again = world.reply_to(&mut evaluating, &request);
    assert_eq!(again, Ok(reply), "the same chunk gets the same reply");
    assert_eq!(evaluating.chunks_done(), 1);

    let mut other = request;
    other.copy_within(CHUNK_HEADER_BYTES..CHUNK_HEADER_BYTES + 32, 12 + 32);
    let fault = world.reply_to(&mut evaluating, &other);
    assert_eq!(fault, Err(PeerFault::ChunkChanged(DOCS)));
}

#[test]
fn a_chunk_never_leaves_with_two_contents() {
    let mut world = World::new(plan(3));
    let (_, mut blinding) = world.open().unwrap();
    let chunk = world.blind(&blinding, DOCS);
    blinding.sending(&chunk).unwrap();
    let sent = [(DOCS, chunk.inputs_digest())];

    // After a restart, with the same rows and with others.
    let record = encode(blinding.record());
    let restore = || {
        let record = decode::<BlindingRecord>(&record).unwrap();
        Blinding::restore(record, sent, []).unwrap()
    };
    let mut blinding = restore();
    blinding.sending(&world.blind(&blinding, DOCS)).unwrap();
    let mut blinding = restore();
    world.plan.responder[0] = people(20..21).remove(0);
    let other = world.blind(&blinding, DOCS);
    let fault = blinding.sending(&other);
    assert_eq!(fault, Err(LocalFault::ChunkWouldDiffer(DOCS)));
}

#[test]
fn the_evaluation_ends_when_every_chunk_is_done_and_no_sooner() {
    let mut world = World::new(plan(4));
    let (evaluating, blinding) = world.open().unwrap();
    let signer = world.plan.parties.responder_signer();
    let missing = blinding.finish(&signer).map(|_| ());
    assert_eq!(missing, Err(LocalFault::ChunksMissing));
    let missing = evaluating.handle_evaluated(Digest([0; 32]), &[0; 64]);
    let missing = missing.map(|_| ()).unwrap_err();
    assert_eq!(missing, PeerFault::EvaluationRoot.into());
}

#[test]
fn a_lie_about_the_cells_is_found_before_anything_is_joined() {
    const CELL_BYTES: usize = 19;
    assert_eq!(terms_of(&plan(1)).cell_bytes(), CELL_BYTES);
    let question = PeerFault::Question;
    let cells = "cells";
    let counts: [Lie; 3] = [
        (cells, |b| b.truncate(b.len() - CELL_BYTES)),
        (cells, |b| b.extend([0xff; CELL_BYTES])),
        (cells, Vec::clear),
    ];
    assert_found_out(Role::Responder, question(QuestionFault::Count), &counts);
    let orders: [Lie; 3] = [
        (cells, |b| b.rotate_left(CELL_BYTES)),
        (cells, |b| b.copy_within(..CELL_BYTES, CELL_BYTES)),
        // The same tag with another payload, in ascending order of the whole cell.
        (cells, |b| {
            b.copy_within(..CELL_BYTES, CELL_BYTES);
            b[CELL_BYTES - 1] = 0;
            b[2 * CELL_BYTES - 1] = 1;
        }),
    ];
    assert_found_out(Role::Responder, question(QuestionFault::Order), &orders);
    let roots: [Lie; 2] = [
        (cells, |b| b[CELL_BYTES - 1] ^= 1),
        (cells, |b| *b.last_mut().unwrap() ^= 0x80),
    ];
    assert_found_out(Role::Responder, question(QuestionFault::Root), &roots);
    let ragged = PeerFault::Length {
        what: "the cells",
        expected: 304,
        got: 303,
    };
    let lie: Lie = (cells, |b| b.truncate(303));
    assert_found_out(Role::Responder, ragged, &[lie]);
}

#[test]
fn an_answer_of_another_shape_or_round_or_slot_is_no_answer() {
    let answer = "answer 0";
    // Magic, round, slot, places, bytes of a place.
    let shapes: [Lie; 5] = [
        (answer, |b| b[0] ^= 1),
        (answer, |b| b[8] ^= 1),
        (answer, |b| b[40] = 1),
        (answer, |b| b[41] ^= 1),
        (answer, |b| b[43] ^= 1),
    ];
    assert_found_out(Role::Requester, PeerFault::Answer(0), &shapes);
    // Ledger commitment, first place, last byte before the signature, the signature.
    let contents: [Lie; 4] = [
        (answer, |b| b[47] ^= 1),
        (answer, |b| b[79] ^= 1),
        (answer, |b| {
            let at = b.len() - 65;
            b[at] ^= 1;
        }),
        (answer, |b| *b.last_mut().unwrap() ^= 1),
    ];
    let fault = PeerFault::Signature("the answer");
    assert_found_out(Role::Requester, fault, &contents);
    for (message, bytes) in [
        ("answer 0", -1_i64),
        ("answer 0", 1),
        ("answer-header 0", 1),
    ] {
        let stop = stop_of(plan(1), message, move |b| {
            if message == "answer-header 0" {
                b[4] ^= 1;
            } else {
                let length = i64::try_from(b.len()).unwrap() + bytes;
                b.resize(usize::try_from(length).unwrap(), 0);
            }
        });
        assert!(matches!(
            stop.fault(),
            PeerFault::Length {
                what: "an answer",
                ..
            }
        ));
    }
}

#[test]
fn a_fetch_is_answered_by_the_clock() {
    let refused = |refusal| ProtocolError::Refused(refusal);
    let lie: Lie = ("fetch 0", |b| b[4] = 2);
    assert_found_out(Role::Responder, refused(Refusal::Slots), &[lie]);
    let lie: Lie = ("fetch 0", |b| b[4] = 1);
    assert_found_out(Role::Responder, refused(Refusal::NotYet), &[lie]);

    let mut world = World::new(plan(5));
    let questioned = world.run().unwrap().questioned;
    let t0 = questioned.t0();
    assert_eq!(questioned.check_fetch(0, t0 + 999), Err(Refusal::NotYet));
    assert_eq!(questioned.check_fetch(0, t0 + 1_000), Ok(()));
    assert_eq!(questioned.check_fetch(0, t0 + 4_600), Ok(()));
    assert_eq!(questioned.check_fetch(0, t0 + 4_601), Err(Refusal::TooLate));
}

#[test]
fn a_slot_has_one_answer() {
    let mut world = World::new(plan(6).deciding(|_| Decision::refuse(0)));
    let report = world.run().unwrap();
    let (questioned, plan) = (&report.questioned, &world.plan);
    let signer = plan.parties.responder_signer();
    let other = Digest([1; 32]);
    let changed = questioned.freeze(0, &[], &other, &signer).unwrap();
    assert_ne!(changed, report.answers[0]);

    let mut awaiting = decode(&encode(&report.awaiting)).unwrap();
    let mut take = |slot, answer: &Answer| {
        let awaiting: &mut mandorla_protocol::requester::AwaitingAnswers = &mut awaiting;
        let sealed = awaiting.handle_answer(slot, answer.bytes().to_vec());
        sealed.map(|_| ())
    };
    assert_eq!(take(0, &report.answers[0]), Ok(()), "the same bytes again");
    assert_eq!(take(0, &changed), Err(PeerFault::AnswerChanged(0)));
    assert_eq!(take(0, &report.answers[1]), Err(PeerFault::Answer(0)));
    // A slot that the terms do not have, properly signed.
    let mut body = report.answers[0].bytes().to_vec();
    body.truncate(body.len() - 64);
    body[40] = 2;
    let answer = sign_answer(plan, body);
    let mut awaiting = report.awaiting.clone();
    let taken = awaiting.handle_answer(2, answer).map(|_| ());
    assert_eq!(taken, Err(PeerFault::Answer(2)));
}

#[test]
fn a_receipt_holds_for_the_answer_that_was_served_at_its_slot() {
    let mut world = World::new(plan(7));
    let report = world.run().unwrap();
    let (questioned, plan) = (&report.questioned, &world.plan);
    let (signer, terms) = (plan.parties.requester_signer(), questioned.terms());
    let responder = plan.parties.responder_signer();
    let other = questioned.freeze(0, &[], &Digest([1; 32]), &responder);
    let other = other.unwrap();
    let mut awaiting = mandorla_protocol::requester::Seeking::clone(
        &decode(world.requester.entry("seeking")).unwrap(),
    )
    .handle_seek_ack(
        questioned.t0(),
        &world.message_bytes("seek-ack")[12..].try_into().unwrap(),
        questioned.t0(),
    )
    .unwrap();
    let sealed = awaiting.handle_answer(0, other.bytes().to_vec()).unwrap();
    let (receipt, _) = sealed.receipt(terms, Digest([2; 32]), &signer);
    assert_eq!(questioned.handle_receipt(&receipt, &other), Ok(()));
    let served = &report.answers[0];
    let fault = questioned.handle_receipt(&receipt, served);
    assert_eq!(fault, Err(PeerFault::Answer(0)));

    // A receipt that names another slot for this answer, properly signed.
    let mut wrong_slot = receipt;
    let round_id = terms.round_id();
    wrong_slot.slot = 1;
    let parts: [&[u8]; 4] = [
        round_id.as_ref(),
        &[1],
        wrong_slot.answer_digest.as_ref(),
        wrong_slot.ledger_commitment.as_ref(),
    ];
    wrong_slot.signature = signer.sign("mandorla/1 receipt", &parts);
    let fault = questioned.handle_receipt(&wrong_slot, &other);
    assert_eq!(fault, Err(PeerFault::Answer(1)));
}

/// The requester's offer with another note.
fn offer_note(bytes: &mut Vec<u8>, note: impl FnOnce(Checkpoint) -> String) {
    let Message::PairOffer { facts, checkpoint } = Message::from_bytes(bytes).unwrap() else {
        unreachable!("an offer is a PairOffer");
    };
    let (text, _) = checkpoint.split_once("\n\n").unwrap();
    let honest = Checkpoint::parse(&format!("{text}\n")).unwrap();
    let checkpoint = note(honest);
    *bytes = Message::PairOffer { facts, checkpoint }.to_bytes();
}

fn signed(seed: [u8; 32], name: &str, origin: &str, size: u64, root: [u8; 32]) -> String {
    let key = ed25519_dalek::SigningKey::from_bytes(&seed);
    let checkpoint = Checkpoint::new(origin, size, root).unwrap();
    checkpoint.signed(&key, name).unwrap().to_string()
}

#[test]
fn the_responder_countersigns_its_own_log_and_no_other() {
    let offer = "pair-offer 0";
    let differ = PeerFault::PairLog("size or root differ");
    let lies: [Lie; 3] = [
        (offer, |b| {
            offer_note(b, |c| {
                let seed = plan(1).parties.requester_signing;
                let name = plan(1).parties.requester_signer().public().to_string();
                signed(seed, &name, c.origin(), c.size() + 1, *c.root())
            });
        }),
        (offer, |b| {
            offer_note(b, |c| {
                let seed = plan(1).parties.requester_signing;
                let name = plan(1).parties.requester_signer().public().to_string();
                signed(seed, &name, c.origin(), c.size(), [0; 32])
            });
        }),
        (offer, |b| {
            offer_note(b, |c| {
                let seed = plan(1).parties.requester_signing;
                let name = plan(1).parties.requester_signer().public().to_string();
                signed(seed, &name, "mandorla/pair/another", c.size(), *c.root())
            });
        }),
    ];
    assert_found_out(Role::Responder, differ, &lies);

    let unsigned = PeerFault::PairLog("the checkpoint's signature does not verify");
    let lies: [Lie; 2] = [
        (offer, |b| {
            offer_note(b, |c| {
                let name = plan(1).parties.requester_signer().public().to_string();
                signed([3; 32], &name, c.origin(), c.size(), *c.root())
            });
        }),
        (offer, |b| {
            offer_note(b, |c| {
                let seed = plan(1).parties.responder_signing;
                let name = plan(1).parties.responder_signer().public().to_string();
                signed(seed, &name, c.origin(), c.size(), *c.root())
            });
        }),
    ];
    assert_found_out(Role::Responder, unsigned, &lies);
}

#[test]
fn the_responder_appends_what_it_knows_and_in_the_order_that_was_signed() {
    fn facts(bytes: &mut Vec<u8>, change: impl FnOnce(&mut Vec<mandorla_protocol::FactName>)) {
        let Message::PairOffer {
            mut facts,
            checkpoint,
        } = Message::from_bytes(bytes).unwrap()
        else {
            unreachable!("an offer is a PairOffer");
        };
        change(&mut facts);
        *bytes = Message::PairOffer { facts, checkpoint }.to_bytes();
    }
    let offer = "pair-offer 0";
    let lies: [Lie; 3] = [
        (offer, |b| facts(b, Vec::clear)),
        (offer, |b| facts(b, |f| f.reverse())),
        (offer, |b| facts(b, |f| f.push(f[0]))),
    ];
    let differ = PeerFault::PairLog("size or root differ");
    assert_found_out(Role::Responder, differ, &lies);
    let lies: [Lie; 3] = [
        (offer, |b| facts(b, |f| f[0].kind = 3)),
        (offer, |b| facts(b, |f| f[0].index = 1)),
        (offer, |b| facts(b, |f| f[0].round_id.0[0] ^= 1)),
    ];
    let unknown = PeerFault::PairLog("a fact is not known here");
    assert_found_out(Role::Responder, unknown, &lies);
}

#[test]
fn the_requester_keeps_a_note_that_the_responder_signed_and_no_other() {
    fn line(bytes: &mut Vec<u8>, change: impl FnOnce(String) -> String) {
        let Message::PairAccept { signature_line } = Message::from_bytes(bytes).unwrap() else {
            unreachable!("an acceptance is a PairAccept");
        };
        let signature_line = change(signature_line);
        *bytes = Message::PairAccept { signature_line }.to_bytes();
    }
    let accept = "pair-accept 0";
    let lies: [Lie; 5] = [
        (accept, |b| line(b, |_| String::new())),
        (accept, |b| line(b, |line| format!("{line}\n{line}"))),
        (accept, |b| line(b, |line| line + "\n")),
        // The responder signs another log; somebody else signs this one.
        (accept, |b| {
            line(b, |_| {
                let (seed, signer) = (
                    plan(1).parties.responder_signing,
                    plan(1).parties.responder_signer(),
                );
                let note = signed(seed, &signer.public().to_string(), "another", 2, [0; 32]);
                note.lines().last().unwrap().to_owned()
            })
        }),
        (accept, |b| {
            line(b, |line| {
                let (name, signature) = line.rsplit_once(' ').unwrap();
                let other = "00".repeat(32);
                assert!(name.ends_with(char::is_alphanumeric));
                format!("\u{2014} {other} {signature}")
            })
        }),
    ];
    let fault = PeerFault::PairLog("the countersignature does not verify");
    assert_found_out(Role::Requester, fault, &lies);
}

/// A requester that puts two people's keys under one number with cells that contradict one another.
fn contradiction(numbers_of_cells: &[(u8, &'static str, u32, u32)]) -> Vec<Forged> {
    let cells = numbers_of_cells.iter();
    cells
        .map(|&(key_type, text, subject_number, key_types)| Forged {
            key: (key_type, text),
            c: 0,
            subject_number,
            key_types,
        })
        .collect()
}

fn outcome(plan: &Plan, forged: &[Forged]) -> (mandorla_protocol::MatchOutcome, Vec<u8>) {
    let mut plan = plan.clone();
    plan.replayed_cells = Some(forged_cells(&plan, forged));
    let mut world = World::new(plan);
    let (evaluating, blinding) = world.open().unwrap();
    let (pending, evaluated) = world.evaluate(evaluating, blinding).unwrap();
    let (_, questioned) = world.ask(pending, &evaluated).unwrap();
    (world.find_pairs(&questioned), world.received_cells)
}

#[test]
fn a_pair_whose_cells_contradict_one_another_is_ignored() {
    let plan = plan(8);
    let cells = contradiction(&[
        (0, "P00003", 77, 0b001),
        (1, "NAME 3 1987", 77, 0b011),
        // The key types of this number do not hold the type of its own cell.
        (0, "P00004", 78, 0b010),
        (0, "P00005", 79, 0b001),
    ]);
    let (outcome, _) = outcome(&plan, &cells);
    assert_eq!(
        outcome.ignored_numbers.into_iter().collect::<Vec<_>>(),
        [77, 78]
    );
    let numbers: Vec<_> = outcome.pairs.iter().map(|p| p.subject_number).collect();
    assert_eq!(numbers, [79]);
}

/// Otherwise a requester could ask for a stranger under the number of somebody it expects to be released, and see
/// from the release whether the stranger is known.
#[test]
fn a_contradiction_at_one_own_subject_touches_no_pair_of_another() {
    let cells = contradiction(&[(0, "P00003", 77, 0b001), (1, "NAME 8 1987", 77, 0b010)]);
    let known = plan(9);
    let mut unknown = known.clone();
    unknown.responder[5] = people(30..31).remove(0);
    for plan in [known, unknown] {
        let (outcome, _) = outcome(&plan, &cells);
        let anchor = outcome.pairs.iter().filter(|pair| pair.own_subject == 0);
        assert_eq!(anchor.count(), 1);
    }
}

#[test]
fn what_is_dropped_or_ignored_does_not_depend_on_the_order_of_the_look_ups() {
    // A number contradicts itself at two own subjects; the first has another partner, and room for one only.
    let mut plan = plan(10);
    plan.max_pairs = 1;
    plan.responder = vec![subject(&[(0, "A"), (2, "C")]), subject(&[(1, "B")])];
    let cells = contradiction(&[(0, "A", 77, 0b1), (1, "B", 77, 0b11), (2, "C", 78, 0b100)]);
    plan.replayed_cells = Some(forged_cells(&plan, &cells));
    let mut world = World::new(plan);
    let (evaluating, blinding) = world.open().unwrap();
    let (pending, evaluated) = world.evaluate(evaluating, blinding).unwrap();
    world.ask(pending, &evaluated).unwrap();
    let terms = evaluated.terms();
    let orders = [
        [0_u8, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    let outcomes = orders.map(|order| {
        let cells = mandorla_protocol::Cells::new(terms, &world.received_cells);
        let mut matcher = Matcher::new(terms, cells, 1);
        for key_type in order {
            let key = AgreedKey { key_type, row: 0 };
            let holders: &[u32] = if key_type == 1 { &[1] } else { &[0] };
            matcher.look_up(&key, &world.values[usize::from(key_type)][0], holders);
        }
        matcher.finish()
    });
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    assert!(outcomes[0].dropped_subjects.contains(&0));
}
