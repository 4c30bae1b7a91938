//! Cells of a requester that lies about its subjects.

use mandorla_protocol::{AgreedKey, Cells, MatchOutcome, Matcher};

use super::world::{Forged, Plan, World, forged_cells, subject};
use super::{people, plan};

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

fn outcome(plan: &Plan, forged: &[Forged]) -> (MatchOutcome, Vec<u8>) {
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
        let cells = Cells::new(terms, &world.received_cells);
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
