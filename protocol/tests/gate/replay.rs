//! What was seen of one round serves nobody in another: other pair, other round, other connection.

use mandorla_protocol::requester::Evaluating;
use mandorla_protocol::responder::{Accepting, Blinding, BlindingRecord, accept_offer_with};
use mandorla_protocol::{
    Message, NodeSigner, PeerFault, Refusal, Role, Terms, bind, chunks, decode, encode,
    verify_binding,
};

use super::world::{Parties, Plan, World, terms_of};
use super::{pending, people, plan};

/// A third node that has an agreement of its own with the responder, and all that it saw of the requester's round.
fn relay(plan: &Plan) -> Plan {
    Plan {
        parties: Parties {
            requester_signing: [9; 32],
            requester_release: [10; 32],
            ..plan.parties.clone()
        },
        ..plan.clone()
    }
}

#[test]
fn nothing_of_a_round_carries_over_to_another_pair() {
    let mut honest = World::new(plan(11));
    let report = honest.run().unwrap();
    let relayed = relay(&plan(11));
    let (ours, theirs) = (terms_of(&plan(11)), terms_of(&relayed));
    assert_ne!(ours.round_id(), theirs.round_id());
    for t in 0..honest.plan.types() {
        assert_ne!(ours.domain_tag(t), theirs.domain_tag(t));
    }
    // The same cells, sent in the third node's name and approved by its desk, match nothing, even if it had every
    // key and nonce of the requester.
    let (awaiting, pairs) = {
        let mut world = World::new(Plan {
            requester: people(100..105),
            replayed_cells: Some(honest.received_cells.clone()),
            ..relayed
        });
        let relayed = world.run().unwrap();
        assert_eq!(world.received_cells, honest.received_cells);
        (relayed.awaiting, relayed.outcome.pairs)
    };
    assert!(!report.outcome.pairs.is_empty());
    assert!(pairs.is_empty());

    // Nor is an answer of the one round an answer of the other.
    let bytes = report.answers[0].bytes().to_vec();
    let fault = awaiting.clone().handle_answer(0, bytes).map(|_| ());
    assert_eq!(fault, Err(PeerFault::Answer(0)));
}

#[test]
fn the_same_cells_again_in_a_new_round_of_the_same_pair_match_nothing() {
    let mut first = World::new(plan(13));
    assert!(!first.run().unwrap().outcome.pairs.is_empty());
    let mut second = World::new(Plan {
        replayed_cells: Some(first.received_cells),
        ..plan(14)
    });
    assert!(second.run().unwrap().outcome.pairs.is_empty());
}

/// The responder's half of a round that the third node opens with what it saw.
fn accept(plan: &Plan, offer: &Message) -> Result<Accepting, Refusal> {
    let Message::Offer(offer) = offer.clone() else {
        unreachable!("an offer is an Offer");
    };
    let (signer, exporter) = (plan.parties.responder_signer(), plan.coins.exporter);
    accept_offer_with(
        &plan.responder_input(),
        offer,
        plan.coins.responder_secrets(),
        plan.responder_time,
        &signer,
        |_| Some(exporter),
    )
    .map(|(accepting, _)| accepting)
}

#[test]
fn a_third_node_cannot_open_a_round_with_what_it_saw() {
    let mut honest = World::new(plan(15));
    honest.run().unwrap();
    let relayed = relay(&plan(15));
    let seen = |name: &str| Message::from_bytes(honest.message_bytes(name)).unwrap();

    // The offer as it is names another requester than the agreement with the third node does.
    assert_eq!(
        accept(&relayed, &seen("offer")).map(|_| ()),
        Err(Refusal::Violation)
    );
    // In its own name, but with the requester's public keys, it can prove possession of none of them.
    let Message::Offer(mut offer) = seen("offer") else {
        unreachable!("an offer is an Offer");
    };
    let thief = relayed.parties.requester_signer();
    offer.requester = thief.public();
    let offer = Message::Offer(offer);
    let accepting = accept(&relayed, &offer).unwrap();
    let Message::Confirm {
        signature,
        binding,
        possession,
    } = seen("confirm")
    else {
        unreachable!("a confirmation is a Confirm");
    };
    let exporter = relayed.coins.exporter;
    let round_id = accepting.terms().round_id();
    let own_signature = thief.sign("mandorla/1 terms", &[&[0], round_id.as_ref()]);
    let own_binding = bind(&thief, Role::Requester, round_id, &exporter);
    let confirm = |signature, binding| {
        let accepting = accept(&relayed, &offer).unwrap();
        let blinding = accepting.handle_confirm(signature, binding, &possession, &exporter);
        blinding.map(|_| ()).unwrap_err()
    };
    assert_eq!(
        confirm(&signature, &binding),
        PeerFault::Signature("the terms")
    );
    assert_eq!(
        confirm(&own_signature, &binding),
        PeerFault::Signature("the connection binding")
    );
    assert_eq!(
        confirm(&own_signature, &own_binding),
        PeerFault::Possession(0)
    );
}

#[test]
fn an_evaluation_forwarded_from_another_round_is_refused() {
    // The third node answers the responder's chunk with the requester as its oracle, in a round of theirs.
    let mut oracle = World::new(plan(16));
    let (mut evaluating, _): (Evaluating, Blinding) = oracle.open().unwrap();
    let relayed = relay(&plan(16));
    let mut offer = evaluating.terms().offer().clone();
    offer.requester = relayed.parties.requester_signer().public();
    let terms = Terms::new(offer, evaluating.terms().responder().clone());

    // Even if possession of the key had been believed.
    let believed = (terms.clone(), [1_u8; 32], [2_u8; 32]);
    let record = decode::<BlindingRecord>(&encode(&believed)).unwrap();
    let blinding = Blinding::restore(record, [], []).unwrap();
    let header = chunks(&terms).next().unwrap();
    let chunk = oracle.blind(&blinding, header);
    let reply = oracle.reply_to(&mut evaluating, &chunk.to_bytes()).unwrap();
    let real = oracle.real_rows(header);
    let slices: Vec<&[u8]> = real.iter().map(Vec::as_slice).collect();
    let refused = chunk.verify_and_unblind(oracle.kernel, &slices, &reply);
    assert_eq!(
        refused.map(|_| ()).unwrap_err(),
        PeerFault::ChunkProof(header)
    );
}

#[test]
fn a_binding_holds_for_one_connection_one_round_and_one_role() {
    let (world, pending, _) = pending(plan(17));
    let (round_id, exporter) = (pending.terms().round_id(), world.plan.coins.exporter);
    let signer = world.plan.parties.requester_signer();
    let binding = bind(&signer, Role::Requester, round_id, &exporter);
    let verify = |key: &NodeSigner, role, round, exporter: &[u8; 32]| {
        verify_binding(&key.public(), role, round, exporter, &binding)
    };
    let other_round = {
        let (_, pending, _) = super::pending(plan(18));
        pending.terms().round_id()
    };
    let stranger = NodeSigner::from_seed(&[9; 32]);
    assert_eq!(
        verify(&signer, Role::Requester, round_id, &exporter),
        Ok(())
    );
    let fault = Err(PeerFault::Signature("the connection binding"));
    assert_eq!(verify(&signer, Role::Responder, round_id, &exporter), fault);
    assert_eq!(
        verify(&signer, Role::Requester, other_round, &exporter),
        fault
    );
    assert_eq!(verify(&signer, Role::Requester, round_id, &[0; 32]), fault);
    assert_eq!(
        verify(&stranger, Role::Requester, round_id, &exporter),
        fault
    );
}
