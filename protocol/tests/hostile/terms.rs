//! Terms that differ from the agreement, keys that nobody possesses.

use mandorla_protocol::requester::{Offered, RequesterSecrets};
use mandorla_protocol::responder::{Accepting, accept_offer_with};
use mandorla_protocol::{
    CLOCK_SKEW_MAX_S, Digest, Message, Offer, PeerFault, ProtocolError, Refusal, ResponderOffer,
    Role, SignatureBytes, bind, dataset_commitment,
};

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::world::{Plan, World};
use super::{plan, stop_of};

fn offer_of(plan: &Plan) -> Offer {
    let (keys, secrets) = (plan.coins.keys(), plan.coins.requester_secrets());
    let offered = Offered::with_secrets(plan.requester_input(), keys, secrets, plan.requester_time);
    offered.unwrap().0.offer().clone()
}

fn accept(plan: &Plan, offer: Offer) -> Result<Accepting, Refusal> {
    let exporter = plan.coins.exporter;
    let accepted = accept_offer_with(
        &plan.responder_input(),
        offer,
        plan.coins.responder_secrets(),
        plan.responder_time,
        &plan.parties.responder_signer(),
        |_| Some(exporter),
    );
    accepted.map(|(accepting, _)| accepting)
}

#[test]
fn two_rounds_over_one_dataset_commit_differently_and_each_opens_with_its_own_salt() {
    let first = plan(14);
    let mut second = plan(14);
    let mut rng = StdRng::seed_from_u64(14);
    let drawn = RequesterSecrets::generate(&mut rng);
    let drawn_again = RequesterSecrets::generate(&mut rng);
    assert_ne!(drawn.dataset_salt, drawn_again.dataset_salt);
    second.coins.requester_dataset_salt = drawn.dataset_salt;
    assert_eq!(
        first.requester_dataset_digest,
        second.requester_dataset_digest
    );
    let commitments = [&first, &second].map(|plan| offer_of(plan).dataset_commitment);
    assert_ne!(commitments[0], commitments[1]);
    let dataset = Digest(first.requester_dataset_digest);
    for (plan, commitment) in [&first, &second].into_iter().zip(commitments) {
        let salt = &plan.coins.requester_dataset_salt;
        assert_eq!(dataset_commitment(salt, &dataset), commitment);
        assert_ne!(dataset_commitment(salt, &Digest([0; 32])), commitment);
    }
    let other_salt = &second.coins.requester_dataset_salt;
    assert_ne!(dataset_commitment(other_salt, &dataset), commitments[0]);
}

#[test]
fn the_responder_refuses_an_offer_that_differs_from_the_agreement() {
    type Change = fn(&mut Offer);
    let changes: [(Change, Refusal); 29] = [
        (|o| o.suite = 2, Refusal::Violation),
        (|o| o.agreement = Digest([0; 32]), Refusal::UnknownAgreement),
        (|o| o.requester.0[0] ^= 1, Refusal::Violation),
        (|o| o.responder.0[0] ^= 1, Refusal::Violation),
        (|o| o.responder = o.requester, Refusal::Violation),
        (|o| o.purpose = "any".into(), Refusal::Purpose),
        (|o| o.requester_dataset = "other".into(), Refusal::Datasets),
        (
            |o| o.responder_dataset = "reports".into(),
            Refusal::Datasets,
        ),
        (|o| o.rules = Digest([0; 32]), Refusal::LinkageRules),
        (|o| o.key_types.clear(), Refusal::KeyTypes),
        (|o| o.key_types.swap(0, 1), Refusal::KeyTypes),
        (|o| o.key_types.truncate(2), Refusal::KeyTypes),
        (
            |o| o.key_types.push(o.key_types[0].clone()),
            Refusal::KeyTypes,
        ),
        (|o| o.key_types[0].id = "name".into(), Refusal::KeyTypes),
        (|o| o.subjects_class = 1, Refusal::SetSize),
        (|o| o.subjects_class = 17, Refusal::SetSize),
        (|o| o.cells_class = 1, Refusal::SetSize),
        (|o| o.cells_class = 22, Refusal::SetSize),
        (|o| o.cells_class = 255, Refusal::SetSize),
        (|o| o.tag_bytes = 1, Refusal::Slots),
        (|o| o.slots_s = vec![1_000], Refusal::Slots),
        (|o| o.slots_s.reverse(), Refusal::Slots),
        (|o| o.max_release += 1, Refusal::Slots),
        (|o| o.item_bytes = 0, Refusal::Slots),
        (|o| o.fetch_window_s += 1, Refusal::Slots),
        (|o| o.question_deadline_s = u32::MAX, Refusal::Slots),
        (|o| o.clock_skew_max_s += 1, Refusal::Clock),
        (|o| o.clock_skew_max_s = 0, Refusal::Clock),
        (|o| o.time = u64::MAX, Refusal::Clock),
    ];
    let plan = plan(1);
    assert!(accept(&plan, offer_of(&plan)).is_ok());
    for (number, (change, refusal)) in changes.into_iter().enumerate() {
        let mut offer = offer_of(&plan);
        change(&mut offer);
        let accepted = accept(&plan, offer).map(|_| ());
        assert_eq!(accepted, Err(refusal), "change {number}");
    }
}

#[test]
fn clocks_may_be_five_minutes_apart_and_no_more() {
    let plan = plan(1);
    let at = |time| {
        let mut offer = offer_of(&plan);
        offer.time = time;
        accept(&plan, offer).map(|_| ())
    };
    let (now, skew) = (plan.responder_time, CLOCK_SKEW_MAX_S);
    assert_eq!([at(now - skew), at(now + skew)], [Ok(()), Ok(())]);
    for time in [0, now - skew - 1, now + skew + 1] {
        assert_eq!(at(time), Err(Refusal::Clock));
    }
}

#[test]
fn the_requester_refuses_a_half_of_the_terms_that_differs_from_the_agreement() {
    type Change = fn(&mut ResponderOffer);
    let refused = PeerFault::Terms;
    let changes: [(Change, PeerFault); 9] = [
        (|o| o.rules.0[0] ^= 1, refused(Refusal::LinkageRules)),
        (
            |o| o.evaluation_classes.truncate(2),
            refused(Refusal::KeyTypes),
        ),
        (|o| o.evaluation_classes.push(2), refused(Refusal::KeyTypes)),
        (|o| o.evaluation_classes[1] = 1, refused(Refusal::SetSize)),
        (|o| o.evaluation_classes[1] = 31, refused(Refusal::SetSize)),
        (|o| o.evaluation_classes[1] = 255, refused(Refusal::SetSize)),
        (|o| o.subjects_class = 64, refused(Refusal::SetSize)),
        (|o| o.time += 301, PeerFault::Clock(301)),
        (|o| o.nonce[0] ^= 1, PeerFault::Signature("the terms")),
    ];
    for (change, fault) in changes {
        let stop = stop_of(plan(1), "accept", move |bytes| {
            let Message::Accept {
                mut offer,
                signature,
                binding,
            } = Message::from_bytes(bytes).unwrap()
            else {
                unreachable!("an acceptance is an Accept");
            };
            change(&mut offer);
            *bytes = Message::Accept {
                offer,
                signature,
                binding,
            }
            .to_bytes();
        });
        assert_eq!((stop.side, stop.fault()), (Role::Requester, fault));
    }
}

#[test]
fn slots_that_leave_no_quiet_time_are_refused() {
    for (slots_s, refused) in [
        (vec![], true),
        (vec![0], true),
        (vec![1], true),
        (vec![2, 2], true),
        (vec![3, 2], true),
        ((1..=9).map(|slot| slot * 1_000).collect(), true),
        (vec![3], false),
        ((1..=8).map(|slot| slot * 1_000).collect(), false),
    ] {
        let mut world = World::new(Plan { slots_s, ..plan(1) });
        let outcome = world.agree_on_terms().map(|_| ());
        let why = outcome.map_err(|stop| stop.why);
        let expected = Err(ProtocolError::Refused(Refusal::Slots));
        assert_eq!(why, if refused { expected } else { Ok(()) });
    }
}

/// The requester's node signs terms with whatever public key, and confirms them with whatever proofs.
fn confirm(
    change: impl FnOnce(&mut Offer),
    possession: impl FnOnce(&mut Vec<SignatureBytes>),
) -> Result<(), PeerFault> {
    let plan = plan(1);
    let mut honest = World::new(plan.clone());
    honest.open().unwrap();
    let confirm = Message::from_bytes(honest.message_bytes("confirm")).unwrap();
    let Message::Confirm {
        possession: mut proofs,
        ..
    } = confirm
    else {
        unreachable!("a confirmation is a Confirm");
    };
    possession(&mut proofs);
    let mut offer = offer_of(&plan);
    change(&mut offer);
    let accepting = accept(&plan, offer).unwrap();
    let signer = plan.parties.requester_signer();
    let (round_id, exporter) = (accepting.terms().round_id(), plan.coins.exporter);
    let signature = signer.sign("mandorla/1 terms", &[&[0], round_id.as_ref()]);
    let binding = bind(&signer, Role::Requester, round_id, &exporter);
    let confirmed = accepting.handle_confirm(&signature, &binding, &proofs, &exporter);
    confirmed.map(|_| ())
}

#[test]
fn a_key_that_the_requester_does_not_possess_is_refused() {
    let keep = |_: &mut Vec<SignatureBytes>| {};
    assert_eq!(confirm(|_| {}, keep), Ok(()));
    for (element, index) in [([0_u8; 32], 0_u8), ([0xff; 32], 1), ([1; 32], 2)] {
        let change = |offer: &mut Offer| offer.key_types[usize::from(index)].public_key = element;
        // The round id is over the keys, so already the first proof is of another context.
        assert_eq!(confirm(change, keep), Err(PeerFault::Possession(0)));
    }
    let swapped = |offer: &mut Offer| {
        let key = offer.key_types[0].public_key;
        offer.key_types[0].public_key = offer.key_types[1].public_key;
        offer.key_types[1].public_key = key;
    };
    assert_eq!(confirm(swapped, keep), Err(PeerFault::Possession(0)));
    for index in 0..3 {
        let proof = usize::from(index);
        for at in [0, 63] {
            let flip = |proofs: &mut Vec<SignatureBytes>| proofs[proof][at] ^= 1;
            let fault = confirm(|_| {}, flip);
            assert_eq!(fault, Err(PeerFault::Possession(index)));
        }
    }
    let swap = |proofs: &mut Vec<SignatureBytes>| proofs.swap(1, 2);
    assert_eq!(confirm(|_| {}, swap), Err(PeerFault::Possession(1)));
}

#[test]
fn there_is_a_proof_of_possession_for_each_key() {
    let length = |got| PeerFault::Length {
        what: "the proofs of possession",
        expected: 3,
        got,
    };
    assert_eq!(confirm(|_| {}, Vec::clear), Err(length(0)));
    assert_eq!(confirm(|_| {}, |p| p.truncate(2)), Err(length(2)));
    assert_eq!(confirm(|_| {}, |p| p.push(p[0])), Err(length(4)));
}
