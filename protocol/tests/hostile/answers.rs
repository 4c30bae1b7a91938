//! Cells, answers, fetches and receipts that are not what was announced.

use mandorla_protocol::requester::{AwaitingAnswers, Seeking};
use mandorla_protocol::{
    Answer, Digest, PeerFault, ProtocolError, QuestionFault, Refusal, Role, decode, encode,
};

use super::world::{Decision, World, sign_answer, terms_of};
use super::{Lie, assert_found_out, plan, stop_of};

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
        let awaiting: &mut AwaitingAnswers = &mut awaiting;
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
    let seeking: Seeking = decode(world.requester.entry("seeking")).unwrap();
    let t0 = questioned.t0();
    let acknowledgement = world.message_bytes("seek-ack")[12..].try_into().unwrap();
    let mut awaiting = seeking
        .handle_seek_ack(t0, &acknowledgement, t0, t0)
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
