//! Whole rounds: what the responder finds is what a join in the clear finds, and what it releases is what the
//! requester opens.

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

use std::collections::{BTreeMap, BTreeSet};

use mandorla_protocol::{
    CHUNK_ROWS, EndReason, Fact, ItemId, Message, Package, Quarantine, ReleasedItem, answer_bytes,
    encode,
};
use proptest::prelude::*;
use world::{Decision, Plan, Report, Subject, World, reference, rows, subject};

/// For every pair (own subject, requester's subject) the match keys that both hold.
type Agreement = BTreeMap<(u32, u32), BTreeSet<(u8, Vec<u8>)>>;

/// The oracle: a nested loop over both datasets in the clear.
fn join_in_the_clear(plan: &Plan) -> Agreement {
    let mut agreeing = Agreement::new();
    for (own, i) in plan.responder.iter().zip(0..) {
        for (theirs, j) in plan.requester.iter().zip(0..) {
            let both: BTreeSet<_> = own.iter().filter(|key| theirs.contains(key)).collect();
            if !both.is_empty() {
                agreeing.insert((i, j), both.into_iter().cloned().collect());
            }
        }
    }
    let mut partners = BTreeMap::new();
    for (own, _) in agreeing.keys() {
        *partners.entry(*own).or_insert(0) += 1;
    }
    agreeing.retain(|(own, _), _| partners[own] <= plan.max_pairs);
    agreeing
}

/// What the responder found, in the words of the oracle.
fn found(world: &World, report: &Report) -> Agreement {
    let pairs = report.outcome.pairs.iter();
    pairs
        .map(|pair| {
            let mut numbers = world.numbers.iter().zip(0..);
            let (_, j) = numbers
                .find(|(number, _)| **number == pair.subject_number)
                .unwrap();
            let keys = pair.agreed.iter().map(|key| {
                let own = rows(&world.plan.responder, key.key_type);
                (key.key_type, own[key.row as usize].clone())
            });
            ((pair.own_subject, j), keys.collect())
        })
        .collect()
}

/// What each item should tell, if every pair is released.
fn all_released(world: &World, report: &Report) -> BTreeMap<ItemId, (u32, u32, Package)> {
    let pairs = report.outcome.pairs.iter();
    pairs
        .map(|pair| {
            let own = reference(pair.own_subject);
            let item_id = report.questioned.item_id(pair.subject_number, &own);
            let package = world.package(pair, 0);
            let tells = (pair.subject_number, pair.agreed_types(), package);
            (item_id, tells)
        })
        .collect()
}

fn opened(report: &Report) -> BTreeMap<ItemId, (u32, u32, Package)> {
    let items = report.opened.iter().map(|item| item.as_ref().unwrap());
    items
        .map(|item| {
            let tells = (item.subject_number, item.proven_types, item.package.clone());
            (item.item_id, tells)
        })
        .collect()
}

/// Plays a round in which every pair is a hit and is released; holds it against the oracle to the last field.
fn play(mut plan: Plan) -> (World, Report) {
    let expected = join_in_the_clear(&plan);
    plan.max_release = u16::try_from(expected.len().max(1)).unwrap();
    let mut world = World::new(plan);
    let report = world.run().unwrap();
    assert_eq!(found(&world, &report), expected);
    assert_eq!(opened(&report), all_released(&world, &report));
    assert_eq!(report.opened.len(), expected.len());
    assert_eq!(
        report.answers[0].bytes().len(),
        answer_bytes(report.awaiting.terms())
    );
    (world, report)
}

/// Up to nine subjects with up to six keys of three types from so few values that they collide.
fn dataset() -> impl Strategy<Value = Vec<Subject>> {
    let key = (0_u8..3, 0_u8..10).prop_map(|(t, n)| (t, format!("value {n}")));
    let one = prop::collection::vec(key, 0..6).prop_map(|keys| {
        let keys: Vec<_> = keys.iter().map(|(t, text)| (*t, text.as_str())).collect();
        subject(&keys)
    });
    prop::collection::vec(one, 0..9)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_responder_finds_what_a_join_in_the_clear_finds(
        requester in dataset(),
        responder in dataset(),
        seed: u64,
        max_pairs in 1_u32..8,
    ) {
        let mut plan = Plan::new(seed, requester, responder);
        plan.max_pairs = max_pairs;
        play(plan);
    }
}

fn person(n: usize) -> Subject {
    subject(&[(0, &format!("P{n:05}")), (1, &format!("NAME {n} 1987"))])
}

fn people(range: std::ops::Range<usize>) -> Vec<Subject> {
    range.map(person).collect()
}

#[test]
fn nobody_and_somebody_share_nothing_in_either_direction() {
    for (requester, responder) in [
        (vec![], people(0..7)),
        (people(0..7), vec![]),
        (vec![], vec![]),
        (vec![vec![]], vec![vec![]]),
    ] {
        let (_, report) = play(Plan::new(2, requester, responder));
        assert!(report.opened.is_empty());
    }
}

#[test]
fn one_against_one_is_found() {
    let (_, report) = play(Plan::new(3, people(5..6), people(5..6)));
    assert_eq!(report.opened.len(), 1);
    let (_, report) = play(Plan::new(3, people(5..6), people(6..7)));
    assert_eq!(report.opened.len(), 0);
}

#[test]
fn a_full_overlap_is_found_whole() {
    let (_, report) = play(Plan::new(4, people(0..33), people(0..33)));
    assert_eq!(report.opened.len(), 33);
}

#[test]
fn duplicates_are_found_each_with_each() {
    let (same, n) = (person(1), 6);
    let (_, report) = play(Plan::new(5, vec![same.clone(); n], vec![same; n]));
    assert_eq!(report.opened.len(), n * n);
}

#[test]
fn a_subject_listed_twice_has_two_numbers() {
    let twice = vec![person(1), person(2), person(1)];
    let (world, report) = play(Plan::new(6, twice, people(0..4)));
    assert_ne!(world.numbers[0], world.numbers[2]);
    assert_eq!(report.opened.len(), 3);
}

#[test]
fn a_key_listed_twice_on_one_subject_counts_once() {
    let key = (0, "P1");
    let (_, report) = play(Plan::new(
        7,
        vec![subject(&[key, key, key])],
        vec![subject(&[key, key])],
    ));
    assert_eq!(report.outcome.pairs[0].agreed.len(), 1);
}

#[test]
fn twenty_keys_on_one_subject_agree_as_far_as_they_do() {
    let texts: Vec<String> = (0..30).map(|n| format!("ALIAS {n}")).collect();
    let keyed = |range: std::ops::Range<usize>| -> Subject {
        let keys: Vec<_> = range.map(|n| (1, texts[n].as_str())).collect();
        subject(&keys)
    };
    let plan = Plan::new(8, vec![keyed(0..20)], vec![keyed(10..30), keyed(19..21)]);
    let (_, report) = play(plan);
    let agreed: Vec<_> = report
        .outcome
        .pairs
        .iter()
        .map(|p| p.agreed.len())
        .collect();
    assert_eq!(agreed, [10, 1]);
}

#[test]
fn rows_on_both_sides_of_a_chunk_boundary_are_found() {
    let rows = CHUNK_ROWS as usize + 4;
    let one_key = |n: usize| subject(&[(0, &format!("P{n:05}"))]);
    let responder: Vec<_> = (0..rows).map(one_key).collect();
    let boundary = CHUNK_ROWS as usize;
    let asked = [0, boundary - 1, boundary, rows - 1, rows];
    let requester: Vec<_> = asked.into_iter().map(one_key).collect();
    let (world, report) = play(Plan::new(9, requester, responder));
    let mut own: Vec<_> = report.outcome.pairs.iter().map(|p| p.own_subject).collect();
    own.sort_unstable();
    let expected = [0, boundary - 1, boundary, rows - 1].map(|n| u32::try_from(n).unwrap());
    assert_eq!(own, expected);
    assert!(!world.message_bytes("chunk-request 0 1").is_empty());
}

#[test]
fn an_own_subject_may_pair_with_max_pairs_subjects_and_with_one_more_it_is_dropped() {
    let shared = (2, "PLATE");
    let asked = |n: usize| -> Vec<Subject> {
        let keyed = |i: usize| subject(&[shared, (0, &format!("P{i}"))]);
        (0..n).map(keyed).collect()
    };
    // The second own subject shares no crowded key: what happens to the first must not touch it.
    let responder = || vec![subject(&[shared]), subject(&[(0, "P0")])];
    let max_pairs = Plan::new(10, vec![], vec![]).max_pairs;

    let (_, report) = play(Plan::new(10, asked(max_pairs as usize), responder()));
    assert_eq!(report.outcome.pairs.len(), max_pairs as usize + 1);
    assert!(report.outcome.dropped_subjects.is_empty());

    let (_, report) = play(Plan::new(10, asked(max_pairs as usize + 1), responder()));
    assert_eq!(report.outcome.dropped_subjects, BTreeSet::from([0]));
    let left: Vec<_> = report.outcome.pairs.iter().map(|p| p.own_subject).collect();
    assert_eq!(left, [1]);
}

#[test]
fn an_own_subject_is_dropped_when_its_keys_together_find_too_many() {
    let requester: Vec<_> = (0..9)
        .map(|n| subject(&[(u8::from(n < 4), "SHARED")]))
        .collect();
    let responder = vec![subject(&[(0, "SHARED"), (1, "SHARED")])];
    let (_, report) = play(Plan::new(11, requester, responder));
    assert_eq!(report.outcome.dropped_subjects, BTreeSet::from([0]));
}

#[test]
fn the_threshold_decides_what_an_officer_sees() {
    let requester = vec![
        person(1),
        subject(&[(0, "P00002"), (1, "OTHER")]),
        subject(&[(1, "NAME 3 1987")]),
    ];
    let mut plan = Plan::new(12, requester, people(0..4));
    plan.threshold = std::rc::Rc::new(|agreed| agreed.count_ones() >= 2);
    let mut world = World::new(plan);
    let report = world.run().unwrap();
    assert_eq!(report.outcome.pairs.len(), 3);
    let opened: Vec<_> = opened(&report).into_values().collect();
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].0, world.numbers[0]);
}

#[test]
fn a_release_names_the_key_types_that_disagree() {
    let requester = vec![subject(&[(0, "P00001"), (1, "ANOTHER NAME"), (2, "PLATE")])];
    let (_, report) = play(Plan::new(13, requester, people(1..2)));
    let (_, proven, package) = &opened(&report).into_values().next().unwrap();
    assert_eq!((*proven, package.conflicting_types), (0b001, 0b010));
}

#[test]
fn decisions_take_places_in_the_next_slot_that_is_not_frozen() {
    let plan = Plan::new(14, people(0..5), people(0..5)).deciding(|found| {
        // Slots at 1,000 s and 5,000 s freeze at 900 s and 4,700 s.
        let after_s = [0, 899, 900, 4_699, 4_700][found.own_subject as usize];
        Decision::release(after_s)
    });
    let slots = vec![1_000, 5_000];
    let mut world = World::new(Plan {
        slots_s: slots,
        ..plan
    });
    let report = world.run().unwrap();
    let of_slot = |slot| report.items.iter().filter(|i| i.slot() == slot).count();
    assert_eq!((of_slot(0), of_slot(1)), (2, 2));
    assert_eq!(report.opened.len(), 4);
    assert_eq!(report.awaiting.next_slot(world.now), None);
    let sizes = report.answers.iter().map(|answer| answer.bytes().len());
    assert_eq!(sizes.collect::<BTreeSet<_>>().len(), 1);
}

#[test]
fn no_more_items_leave_than_there_are_places() {
    let mut plan = Plan::new(15, people(0..5), people(0..5));
    plan.max_release = 3;
    let mut world = World::new(plan);
    let report = world.run().unwrap();
    assert_eq!((report.outcome.pairs.len(), report.opened.len()), (5, 3));
    // What a plan of the round says beforehand is what comes.
    let planned = world.plan.terms_rules().answer_bytes();
    assert_eq!(report.answers[0].bytes().len(), planned);
}

#[test]
fn an_item_that_does_not_verify_is_set_aside_and_the_others_stand() {
    let size = |world: &World| {
        let plan = &world.plan;
        25 + 32 * plan.key_types.len() + plan.item_bytes as usize + 16 + 64
    };
    let mut world = World::new(Plan::new(16, people(0..3), people(0..3)));
    let place = size(&world);
    let (evaluating, blinding) = world.open().unwrap();
    let (pending, evaluated) = world.evaluate(evaluating, blinding).unwrap();
    let (awaiting, questioned) = world.ask(pending, &evaluated).unwrap();
    let (_, items) = world.review(&questioned);
    let intact: BTreeSet<_> = items.iter().map(ReleasedItem::item_id).collect();
    assert_eq!(intact.len(), 3);

    // One bit in the kind, id, number, mask, a proof, the ciphertext, the signature.
    for at in [0, 5, 18, 22, 40, 25 + 96 + 7, place - 1] {
        let mut items = items.clone();
        let mut bytes = items[1].place().to_vec();
        bytes[at] ^= 1;
        let tampered = ReleasedItem::from_durable(0, bytes);
        // A place that is no item any more cannot even be read back.
        assert_eq!(tampered.is_none(), at == 0);
        let Some(tampered) = tampered else { continue };
        items[1] = tampered;
        let (_, _, opened) = world.answer(awaiting.clone(), &questioned, &items).unwrap();
        let good: Vec<_> = opened
            .iter()
            .filter_map(|item| item.as_ref().ok())
            .collect();
        let bad: Vec<_> = opened
            .iter()
            .filter_map(|item| item.as_ref().err())
            .collect();
        assert_eq!((good.len(), bad.len()), (2, 1), "byte {at}");
        assert_eq!(bad[0].1, Quarantine::Signature);
        assert!(good.iter().all(|item| intact.contains(&item.item_id)));
    }
}

#[test]
fn both_sides_hold_the_same_pair_log_to_the_close() {
    let mut plan = Plan::new(17, people(0..2), people(0..2));
    plan.slots_s = vec![1_000, 2_000, 3_000];
    let mut world = World::new(plan);
    let report = world.run().unwrap();
    let at = report.questioned.closes_at();
    let round_id = report.questioned.terms().round_id();
    world.both_know(round_id, &Fact::Close { at });
    world.exchange_pair_log().unwrap();
    // Terms, evaluation, question, three answers, three receipts, close.
    assert_eq!(world.requester.pair_log.tree().size(), 10);
    assert_eq!(
        world.requester.pair_log.tree().root(),
        world.responder.pair_log.tree().root()
    );
}

#[test]
fn a_round_that_is_withdrawn_ends_in_both_logs_without_a_question() {
    let mut world = World::new(Plan::new(18, people(0..2), people(0..2)));
    let (evaluating, blinding) = world.open().unwrap();
    let (pending, evaluated) = world.evaluate(evaluating, blinding).unwrap();
    let signer = world.plan.parties.requester_signer();
    for reason in [EndReason::Declined, EndReason::Lapsed, EndReason::Cancelled] {
        let message = pending.withdraw(reason, &signer);
        let Message::Withdraw {
            reason: byte,
            signature,
        } = message
        else {
            unreachable!("a withdrawal is a Withdraw");
        };
        assert_eq!(evaluated.handle_withdraw(byte, &signature), Ok(reason));
        evaluated
            .handle_withdraw(byte % 3 + 1, &signature)
            .unwrap_err();
    }
    let round_id = pending.terms().round_id();
    world.both_know(round_id, &Fact::Ended(EndReason::Declined));
    world.exchange_pair_log().unwrap();
    assert_eq!(world.requester.pair_log.tree().size(), 3);
    assert!(world.received_cells.is_empty());
}

#[test]
fn the_records_of_a_round_survive_a_restart() {
    use mandorla_protocol::decode;
    use mandorla_protocol::requester::{AwaitingAnswers, PendingQuestion, Seeking};
    use mandorla_protocol::responder::{BlindingRecord, Evaluated, Questioned};

    let mut world = World::new(Plan::new(19, people(0..2), people(0..2)));
    world.run().unwrap();
    let (requester, responder) = (&world.requester, &world.responder);
    let pending = requester.entry("pending question");
    assert_eq!(
        encode(&decode::<PendingQuestion>(pending).unwrap()),
        pending
    );
    let seeking = requester.entry("seeking");
    assert_eq!(encode(&decode::<Seeking>(seeking).unwrap()), seeking);
    let awaiting = requester.entry("awaiting answers");
    assert_eq!(
        encode(&decode::<AwaitingAnswers>(awaiting).unwrap()),
        awaiting
    );
    let blinding = responder.entry("blinding");
    assert_eq!(
        encode(&decode::<BlindingRecord>(blinding).unwrap()),
        blinding
    );
    let evaluated = responder.entry("evaluated record");
    assert_eq!(encode(&decode::<Evaluated>(evaluated).unwrap()), evaluated);
    let questioned = responder.entry("questioned");
    assert_eq!(
        encode(&decode::<Questioned>(questioned).unwrap()),
        questioned
    );
}

#[test]
fn the_same_plan_gives_the_same_bytes() {
    let journal = || {
        let mut world = World::new(Plan::new(20, people(0..3), people(1..4)));
        world.run().unwrap();
        (world.requester.journal, world.responder.journal)
    };
    assert_eq!(journal(), journal());
}
