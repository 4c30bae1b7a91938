//! Two nodes on loopback with pair logs that are as they should be, and that are not.

mod world;

use mandorla_protocol::{Digest, merkle::leaf_hash};
use mandorla_protocol::{FactName, NodeSigner, PendingFact, Refusal, RoundId};

use super::*;
use crate::records::pair::{OfferRecord, PAIR_LEAVES, PAIR_LOGS, PAIR_PENDING};
use crate::records::peer::{FormerKeys, PEERS};

use self::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn equal_copies_are_in_step_from_either_side_and_the_ledger_says_so() {
    let world = World::new();
    world.both(&facts(0..5), &facts(0..5));
    let report = world.from(&world.uk).await;
    assert_eq!(outcomes(&report), ["in step", "in step"]);
    assert!(report.in_step && report.faults.is_empty());
    assert_eq!(
        (report.logs[0].own_facts, report.logs[0].peer_facts),
        (5, 5)
    );
    assert!(world.from(&world.rs).await.in_step);
    let entries = events(&world.uk, Event::PairLogReconciled);
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].actor.as_deref(), Some("aud"));
    assert_eq!(entries[0].detail["outcome"], "in step");
    // To be asked leaves no entry: it shows what both have.
    assert_eq!(events(&world.rs, Event::PairLogReconciled).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_fact_that_differs_is_named_by_both_sides() {
    let world = World::new();
    let mut forked = facts(0..5);
    forked[3] = fact(9);
    for at_rs in [
        forked.clone(),
        forked[..4].to_vec(),
        [forked.clone(), facts(20..22)].concat(),
    ] {
        world.both(&facts(0..5), &at_rs);
        for (node, own, peer) in [(&world.uk, 3, 9), (&world.rs, 9, 3)] {
            let report = world.from(node).await;
            let log = usize::from(node.code() == "RS");
            assert_eq!(report.logs[log].outcome, "differ");
            let [own, peer] = [own, peer].map(|number| RoundId([number; 32]));
            let fault = format!(
                "fact 3 differs: here evaluation of round {own}, at the peer evaluation of round {peer}"
            );
            assert_eq!(report.logs[log].fault.as_deref(), Some(fault.as_str()));
            assert!(!report.in_step);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reordered_and_dropped_facts_are_named_too() {
    let world = World::new();
    let mut reordered = facts(0..5);
    reordered.swap(1, 2);
    let mut dropped = facts(0..5);
    dropped.remove(1);
    for other in [reordered, dropped] {
        world.both(&facts(0..5), &other);
        let report = world.from(&world.uk).await;
        let fault = report.logs[0].fault.clone().unwrap();
        assert!(fault.starts_with("fact 1 differs"), "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_rolled_back_is_found_from_both_sides() {
    let world = World::new();
    for (at_uk, at_rs, seen_by_uk, seen_by_rs) in [
        (3, 5, "own facts lost", "facts lost at the peer"),
        (5, 3, "facts lost at the peer", "own facts lost"),
        (0, 5, "own facts lost", "facts lost at the peer"),
    ] {
        world.both(&facts(0..at_uk), &facts(0..at_rs));
        let report = world.from(&world.uk).await;
        assert_eq!(report.logs[0].outcome, seen_by_uk);
        let fault = report.logs[0].fault.clone().unwrap();
        let shorter = at_uk.min(at_rs);
        assert!(
            fault.contains(&format!("after {shorter} facts, but it signed 5")),
            "{fault}"
        );
        assert_eq!(world.from(&world.rs).await.logs[1].outcome, seen_by_rs);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_takes_over_the_peers_and_only_then_rounds_begin() {
    let world = World::new();
    world.both(&facts(0..2), &facts(0..5));
    mark_restored(&world.uk, AT_UK);
    pend(&world.uk, AT_UK, 3);
    let must = || pair::must_be_reconciled(&world.uk.store.read().unwrap(), "RS").unwrap();
    assert!(must());
    let refused = check_before_round(&world.uk, "RS").unwrap_err();
    assert_eq!(refused.code, ErrorCode::Refused);
    assert_eq!(
        refused.hint.as_deref(),
        Some("mandorla audit reconcile --with RS")
    );
    let report = world.from(&world.uk).await;
    assert_eq!(report.logs[0].outcome, "adopted");
    assert_eq!((report.logs[0].own_facts, report.logs[0].pending), (5, 0));
    assert!(!must());
    check_before_round(&world.uk, "RS").unwrap();
    let [entry] = &events(&world.uk, Event::PairLogAdopted)[..] else {
        panic!("one entry");
    };
    assert_eq!(
        (&entry.detail["first"], &entry.detail["size"]),
        (&2.into(), &5.into())
    );
    assert_eq!(
        outcomes(&world.from(&world.uk).await),
        ["in step", "in step"]
    );
    let (_, faults) = crate::rounds::pair_audit::audit(&world.uk).unwrap();
    let of_adopted = |fault: &&String| {
        [2, 3, 4]
            .iter()
            .any(|seq| fault.contains(&format!("fact {seq} ")))
    };
    assert!(!faults.iter().any(|fault| of_adopted(&fault)), "{faults:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_responder_takes_over_too_and_an_equal_copy_only_loses_its_mark() {
    let world = World::new();
    world.both(&facts(0..4), &facts(0..1));
    mark_restored(&world.rs, AT_RS);
    assert_eq!(world.from(&world.rs).await.logs[1].outcome, "adopted");
    mark_restored(&world.rs, AT_RS);
    assert_eq!(world.from(&world.rs).await.logs[1].outcome, "in step");
    let must = pair::must_be_reconciled(&world.rs.store.read().unwrap(), "UK").unwrap();
    assert!(!must);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_restored_nodes_reconcile_one_after_the_other() {
    let world = World::new();
    world.both(&facts(0..3), &facts(0..3));
    for (node, name) in [(&world.uk, AT_UK), (&world.rs, AT_RS)] {
        pend(node, name, 5);
        mark_restored(node, name);
    }
    // What waits cannot be settled with a copy that nobody has compared yet.
    let refused = reconcile(&world.uk, &auditor(), ROLES, "RS").await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, ErrorCode::PeerRefused);
    assert!(refused.hint.unwrap().contains("it reconciles first"));
    assert_eq!(world.from(&world.rs).await.logs[1].outcome, "in step");
    let report = world.from(&world.uk).await;
    assert_eq!(report.logs[0].outcome, "in step");
    assert_eq!((report.logs[0].own_facts, report.logs[0].pending), (4, 0));
    for (node, peer) in [(&world.uk, "RS"), (&world.rs, "UK")] {
        assert!(!pair::must_be_reconciled(&node.store.read().unwrap(), peer).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_that_is_no_beginning_of_the_peers_keeps_its_mark() {
    let world = World::new();
    let mut forked = facts(0..2);
    forked[1] = fact(9);
    world.both(&forked, &facts(0..5));
    mark_restored(&world.uk, AT_UK);
    assert_eq!(world.from(&world.uk).await.logs[0].outcome, "differ");
    assert!(pair::must_be_reconciled(&world.uk.store.read().unwrap(), "RS").unwrap());
    // And one that is longer than the peer's: it is the peer that lost facts.
    world.both(&facts(0..5), &facts(0..2));
    mark_restored(&world.uk, AT_UK);
    assert_eq!(
        world.from(&world.uk).await.logs[0].outcome,
        "facts lost at the peer"
    );
    assert!(pair::must_be_reconciled(&world.uk.store.read().unwrap(), "RS").unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_whose_answer_was_lost_is_repeated_and_no_fault() {
    let world = World::new();
    world.both(&facts(0..3), &facts(0..4));
    pend(&world.uk, AT_UK, 3);
    put_in_flight(&world, &facts(0..4), 3, |log| {
        log.offer_note(world.uk.identity.signer())
    });
    // The responder sees that the requester has an offer in flight.
    assert_eq!(world.from(&world.rs).await.logs[1].outcome, "peer behind");
    let report = world.from(&world.uk).await;
    assert_eq!(outcomes(&report), ["in step", "in step"]);
    assert_eq!(report.logs[0].own_facts, 4);
}

/// What a peer's record says after its keys were followed by new ones: the present ones are former ones now.
fn follow(node: &Node, code: &str, new: NodeKey, revoked: bool) {
    let mut record = peers::find(node, code).unwrap();
    let before = std::mem::replace(&mut record.signing_key, new.to_string());
    record.former.push(FormerKeys {
        signing_key: before,
        transport_key: RoundId([1; 32]).to_string(),
        release_key: RoundId([2; 32]).to_string(),
        until: 0,
        revoked,
    });
    node.store
        .write_unlogged::<_, StoreError>(|tx| tx.put(PEERS, code, &record))
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_compared_and_taken_over_under_the_keys_that_signed_them() {
    let world = World::new();
    world.both(&facts(0..2), &facts(0..5));
    mark_restored(&world.uk, AT_UK);
    // RS has other keys now; what it signed before is good.
    let new = NodeSigner::from_seed(&[77; 32]).public();
    follow(&world.uk, "RS", new, false);
    let report = world.from(&world.uk).await;
    assert_eq!(report.logs[0].outcome, "adopted");
    assert_eq!(world.from(&world.uk).await.logs[0].outcome, "in step");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_under_a_revoked_key_gives_a_restored_node_nothing() {
    let world = World::new();
    world.both(&facts(0..2), &facts(0..5));
    mark_restored(&world.uk, AT_UK);
    let new = NodeSigner::from_seed(&[77; 32]).public();
    follow(&world.uk, "RS", new, true);
    let refused = reconcile(&world.uk, &auditor(), ROLES, "RS").await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, ErrorCode::PeerMisbehaved);
    assert!(refused.message.contains("revoked"), "{refused}");
    assert!(pair::must_be_reconciled(&world.uk.store.read().unwrap(), "RS").unwrap());
    let facts_here = world
        .uk
        .store
        .read()
        .unwrap()
        .scan_all(PAIR_LEAVES)
        .unwrap();
    assert_eq!(facts_here.len(), 2);
    // Nor is a key heard of that neither node ever had.
    world.both(&facts(0..2), &facts(0..2));
    let mut stranger = peers::find(&world.uk, "RS").unwrap();
    stranger.former.clear();
    world
        .uk
        .store
        .write_unlogged::<_, StoreError>(|tx| tx.put(PEERS, "RS", &stranger))
        .unwrap();
    let refused = reconcile(&world.uk, &auditor(), ROLES, "RS").await;
    assert!(refused.unwrap_err().message.contains("other nodes' keys"));
}

/// An offer of this fact that was signed and not answered, over a log that ends with it.
fn put_in_flight(
    world: &World,
    after: &[Vec<u8>],
    number: u8,
    sign: impl FnOnce(&mandorla_protocol::PairLog) -> String,
) {
    let (log, _) = world.signed(after);
    let offer = OfferRecord {
        facts: vec![(RoundId([number; 32]).to_string(), 2, 0)],
        note: sign(&log),
    };
    world
        .uk
        .store
        .write_unlogged::<_, StoreError>(|tx| {
            let mut record = tx.find(PAIR_LOGS, AT_UK)?.unwrap_or_default();
            record.in_flight = Some(offer);
            tx.put(PAIR_LOGS, AT_UK, &record)
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_under_keys_that_are_gone_is_signed_anew_over_the_same_facts() {
    let world = World::new();
    world.both(&facts(0..3), &facts(0..3));
    for (node, name) in [(&world.uk, AT_UK), (&world.rs, AT_RS)] {
        pend(node, name, 3);
        pend(node, name, 9); // known to both, and not in the offer
    }
    // Signed for a responder's key that RS has not got any more.
    let gone = NodeSigner::from_seed(&[77; 32]).public();
    put_in_flight(&world, &facts(0..4), 3, |log| {
        let tree = log.tree().clone();
        let uk = world.uk.identity.node_key();
        mandorla_protocol::PairLog::with_tree(uk, gone, tree).offer_note(world.uk.identity.signer())
    });
    let report = world.from(&world.uk).await;
    assert_eq!(outcomes(&report), ["in step", "in step"]);
    assert_eq!((report.logs[0].own_facts, report.logs[0].pending), (5, 0));
    let fourth = world.uk.store.read().unwrap().find(PAIR_LEAVES, (AT_UK, 3));
    assert_eq!(
        fourth.unwrap().unwrap(),
        hex::encode(fact(3)),
        "the offer's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_requester_repeats_the_offer_of_its_backup_before_it_signs_another() {
    let world = World::new();
    world.both(&facts(10..13), &facts(10..13));
    for (node, name) in [(&world.uk, AT_UK), (&world.rs, AT_RS)] {
        pend(node, name, 5);
        pend(node, name, 4); // comes first in the order of rounds
    }
    let after = [facts(10..13), facts(5..6)].concat();
    put_in_flight(&world, &after, 5, |log| {
        log.offer_note(world.uk.identity.signer())
    });
    mark_restored(&world.uk, AT_UK);
    let report = world.from(&world.uk).await;
    assert_eq!(report.logs[0].outcome, "in step");
    assert_eq!(report.logs[0].own_facts, 5);
    let fourth = world.uk.store.read().unwrap().find(PAIR_LEAVES, (AT_UK, 3));
    assert_eq!(
        fourth.unwrap().unwrap(),
        hex::encode(fact(5)),
        "of one size there is one root"
    );
    assert!(!pair::must_be_reconciled(&world.uk.store.read().unwrap(), "RS").unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_of_rounds_that_are_over_settle_or_go_with_an_entry() {
    let world = World::new();
    world.both(&facts(0..2), &facts(0..2));
    pend(&world.uk, AT_UK, 5);
    pend(&world.rs, AT_RS, 5);
    pend(&world.uk, AT_UK, 6); // only here, and its round is known to nobody
    pend(&world.rs, AT_RS, 7); // only there
    let report = world.from(&world.uk).await;
    assert_eq!(outcomes(&report), ["in step", "in step"]);
    assert_eq!((report.logs[0].own_facts, report.logs[0].pending), (3, 0));
    let six = RoundId([6; 32]);
    assert_eq!(
        report.logs[0].dropped,
        [format!("evaluation of round {six}")]
    );
    let [entry] = &events(&world.uk, Event::PairLogDropped)[..] else {
        panic!("one entry");
    };
    assert_eq!(entry.detail["wire_id"], six.to_string());
    let report = world.from(&world.rs).await;
    assert_eq!((report.logs[1].own_facts, report.logs[1].pending), (3, 0));
    assert_eq!(report.logs[1].dropped.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_fact_with_other_bytes_is_the_peers_fault() {
    let world = World::new();
    world.both(&facts(0..2), &facts(0..2));
    pend(&world.uk, AT_UK, 5);
    let wire = RoundId([5; 32]).to_string();
    world
        .rs
        .store
        .write_unlogged::<_, StoreError>(|tx| {
            tx.put(
                PAIR_PENDING,
                (AT_RS, wire.as_str(), 2 << 8),
                &hex::encode(fact(8)),
            )
        })
        .unwrap();
    let error = reconcile(&world.uk, &auditor(), ROLES, "RS")
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::PeerMisbehaved);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_asked_side_serves_the_logs_of_this_peer_and_no_range_beyond_them() {
    let world = World::new();
    world.both(&facts(0..3), &facts(0..3));
    let peer = |code: &str| peers::find(&world.rs, code).unwrap();
    let ask = |message| answer(&world.rs, &peer("UK"), &message);
    let hashes = |first, count| Message::PairHashes {
        log: 0,
        first,
        count,
    };
    let leaves = |first, count| Message::PairLeaves {
        log: 0,
        first,
        count,
    };
    let Message::PairLeavesAre { leaves: got } = ask(leaves(1, 2)).unwrap() else {
        panic!("leaves");
    };
    assert_eq!(got, facts(1..3));
    let Message::PairHashesAre { hashes: got } = ask(hashes(0, 3)).unwrap() else {
        panic!("hashes");
    };
    assert_eq!(got[2], Digest(leaf_hash(&fact(2))));
    for beyond in [
        hashes(0, 4),
        hashes(3, 1),
        hashes(0, 0),
        hashes(u64::MAX, 2),
        leaves(2, 2),
        leaves(0, 0),
    ] {
        assert!(matches!(
            ask(beyond),
            Err(RoundError::Refused(Refusal::UnknownRound))
        ));
    }
    // The other direction is empty, and there is no third log.
    let other = Message::PairLeaves {
        log: 1,
        first: 0,
        count: 1,
    };
    assert!(matches!(ask(other), Err(RoundError::Refused(_))));
    assert!(matches!(
        ask(Message::PairState { log: 2 }),
        Err(RoundError::Protocol(_))
    ));
    // Another peer of the same node is served from its own logs, which are empty.
    let stranger = crate::records::peer::PeerRecord {
        code: "FR".to_owned(),
        ..peer("UK")
    };
    let state = answer(&world.rs, &stranger, &Message::PairState { log: 0 }).unwrap();
    assert!(matches!(state, Message::PairStateIs { size: 0, .. }));
    let name = FactName {
        kind: 2,
        index: 0,
        round_id: RoundId([1; 32]),
    };
    let leaf = Digest(leaf_hash(&fact(1)));
    let pending = Message::PairPending {
        log: 0,
        facts: vec![PendingFact { name, leaf }],
    };
    let known = |peer: &crate::records::peer::PeerRecord| {
        let Message::PairKnown { states } = answer(&world.rs, peer, &pending).unwrap() else {
            panic!("states");
        };
        states[0]
    };
    assert_eq!(known(&peer("UK")), mandorla_protocol::FactState::InLog);
    assert_eq!(known(&stranger), mandorla_protocol::FactState::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_away_is_not_a_fault_of_the_logs() {
    let world = World::new();
    world.both(&facts(0..3), &facts(0..3));
    world.rs.endpoint.get().unwrap().close();
    let error = reconcile(&world.uk, &auditor(), ROLES, "RS")
        .await
        .unwrap_err();
    assert_eq!(error.code.exit(), mandorla_control::ExitCode::Peer);
}
