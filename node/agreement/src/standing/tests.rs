use proptest::prelude::*;

use super::*;

fn signed() -> Standing {
    let party = || PartyStanding {
        signed: true,
        ..PartyStanding::default()
    };
    Standing {
        parties: [party(), party()],
    }
}

fn with(statements: &[(usize, Statement, u32)]) -> Standing {
    let mut standing = signed();
    for &(party, statement, sequence) in statements {
        standing.parties[party].add(statement, sequence);
    }
    standing
}

use Statement::{Activation, Resumption, Suspension};

fn state(standing: &Standing) -> State {
    standing.state(true, false, false)
}

#[test]
fn only_both_signatures_and_both_activations_make_it_live() {
    let mut standing = Standing::default();
    assert_eq!(state(&standing), State::Proposed);
    standing.parties[1].signed = true;
    for party in 0..2 {
        standing.parties[party].add(Activation, 1);
    }
    assert_eq!(state(&standing), State::SignedByOne);
    assert_eq!(state(&signed()), State::Pilot);
    assert_eq!(state(&with(&[(0, Activation, 1)])), State::Pilot);
    let live = with(&[(0, Activation, 1), (1, Activation, 1)]);
    assert_eq!(state(&live), State::Live);
    assert_eq!(live.state(true, true, false), State::Superseded);
    assert_eq!(live.state(true, false, true), State::Expired);
    assert_eq!(live.state(true, true, true), State::Expired);
}

#[test]
fn without_a_pilot_it_still_needs_both_activations() {
    let one = with(&[(0, Activation, 1)]);
    assert_eq!(one.state(false, false, false), State::SignedByBoth);
    let both = with(&[(0, Activation, 1), (1, Activation, 1)]);
    assert_eq!(both.state(false, false, false), State::Live);
}

#[test]
fn a_suspension_after_live_ends_by_activations_of_both_and_by_nothing_else() {
    let mut standing = with(&[(0, Activation, 1), (1, Activation, 1), (1, Suspension, 1)]);
    assert_eq!(state(&standing), State::Suspended);
    assert_eq!(standing.resumes_with(true), (Activation, 2));
    standing.parties[0].add(Activation, 2);
    standing.parties[0].add(Resumption, 1);
    standing.parties[1].add(Resumption, 1);
    assert_eq!(state(&standing), State::Suspended);
    standing.parties[1].add(Activation, 2);
    assert_eq!(state(&standing), State::Live);
    assert_eq!(standing.state(true, true, false), State::Superseded);
}

#[test]
fn a_suspended_pilot_resumes_into_the_pilot_and_goes_live_by_activation() {
    let mut standing = with(&[(0, Suspension, 1)]);
    assert_eq!(state(&standing), State::Suspended);
    assert_eq!(standing.resumes_with(true), (Resumption, 1));
    standing.parties[0].add(Resumption, 1);
    assert_eq!(state(&standing), State::Suspended, "both must resume");
    standing.parties[1].add(Resumption, 1);
    assert_eq!(state(&standing), State::Pilot);
    standing.parties[0].add(Activation, 1);
    standing.parties[1].add(Activation, 1);
    assert_eq!(
        state(&standing),
        State::Suspended,
        "now it was live before the suspension, and needs activations above it"
    );
    standing.parties[0].add(Activation, 2);
    standing.parties[1].add(Activation, 2);
    assert_eq!(state(&standing), State::Live);
}

#[test]
fn a_suspension_outlives_the_next_version() {
    let standing = with(&[(0, Activation, 1), (1, Activation, 1), (0, Suspension, 1)]);
    assert_eq!(standing.state(true, true, false), State::Suspended);
    assert!(standing.was_live());
}

#[test]
fn a_party_can_take_back_its_resumption_before_the_other_resumes() {
    let mut standing = with(&[(0, Activation, 1), (1, Activation, 1), (0, Suspension, 1)]);
    assert_eq!(standing.suspends_with(&standing.parties[0], true), None);
    assert_eq!(standing.suspends_with(&standing.parties[1], true), Some(1));
    standing.parties[0].add(Activation, 2);
    assert_eq!(standing.suspends_with(&standing.parties[0], true), Some(2));
    standing.parties[0].add(Suspension, 2);
    standing.parties[1].add(Activation, 2);
    assert_eq!(state(&standing), State::Suspended);
}

#[test]
fn statements_that_build_on_nothing_are_refused() {
    let gap = |later, missing| Err(StandingError::Gap { later, missing });
    assert_eq!(
        with(&[(0, Activation, 1), (1, Suspension, 1)]).check(),
        Ok(())
    );
    assert_eq!(with(&[(0, Activation, 2)]).check(), gap(2, 1));
    assert_eq!(with(&[(0, Suspension, 2)]).check(), gap(2, 1));
    assert_eq!(with(&[(0, Resumption, 1)]).check(), gap(1, 1));
    assert_eq!(
        with(&[(0, Activation, 0)]).check(),
        Err(StandingError::Sequence(0))
    );
    let far = SUSPENSIONS_MAX + 1;
    assert_eq!(
        with(&[(0, Suspension, far)]).check(),
        Err(StandingError::Sequence(far))
    );
}

/// What an operator of one of two nodes does.
#[derive(Debug, Clone, Copy)]
enum Op {
    Activate,
    Suspend,
    Resume,
    /// Takes in a bundle that the other node made at one of its earlier moments.
    Import(prop::sample::Index),
}

fn op() -> impl Strategy<Value = (usize, Op)> {
    let op = prop_oneof![
        Just(Op::Activate),
        Just(Op::Suspend),
        Just(Op::Resume),
        any::<prop::sample::Index>().prop_map(Op::Import),
        any::<prop::sample::Index>().prop_map(Op::Import),
    ];
    (0..2_usize, op)
}

fn merge(into: &mut Standing, from: &Standing) {
    for (into, from) in into.parties.iter_mut().zip(&from.parties) {
        into.activations.extend(&from.activations);
        into.suspensions.extend(&from.suspensions);
        into.resumptions.extend(&from.resumptions);
    }
}

proptest! {
    #[test]
    fn live_means_that_both_activated_above_every_suspension_known_here(
        pilot in any::<bool>(),
        ops in prop::collection::vec(op(), 0..60),
    ) {
        let mut nodes = [signed(), signed()];
        let mut bundles = [vec![signed()], vec![signed()]];
        for (own, op) in ops {
            let node = nodes[own].clone();
            let state = node.state(pilot, false, false);
            let mine = &node.parties[own];
            let sign = match op {
                Op::Activate if matches!(state, State::SignedByBoth | State::Pilot) => {
                    Some((Activation, node.activation_due()))
                }
                Op::Suspend => node.suspends_with(mine, pilot).map(|sequence| (Suspension, sequence)),
                Op::Resume if state == State::Suspended && !node.has_resumed(mine) => {
                    Some(node.resumes_with(pilot))
                }
                Op::Import(which) => {
                    let bundle = which.get(&bundles[1 - own]).clone();
                    merge(&mut nodes[own], &bundle);
                    None
                }
                Op::Activate | Op::Resume => None,
            };
            if let Some((statement, sequence)) = sign.filter(|(_, sequence)| *sequence <= SUSPENSIONS_MAX) {
                nodes[own].parties[own].add(statement, sequence);
                if statement == Suspension {
                    prop_assert_eq!(nodes[own].state(pilot, false, false), State::Suspended, "at once and alone");
                }
            }
            bundles[own].push(nodes[own].clone());
            let node = &nodes[own];
            prop_assert_eq!(node.check(), Ok(()), "honest nodes leave no gap");
            if node.state(pilot, false, false) == State::Live {
                let highest = node.parties.iter().flat_map(|party| &party.suspensions).max();
                for party in &node.parties {
                    prop_assert!(party.activations.iter().max() > highest);
                }
            }
        }
    }

    #[test]
    fn the_order_in_which_statements_arrive_does_not_matter(
        statements in prop::collection::vec((0..2_usize, 0..3_usize, 1..5_u32), 0..20).prop_shuffle(),
    ) {
        let kinds = [Activation, Suspension, Resumption];
        let listed: Vec<_> = statements.iter().map(|&(party, kind, at)| (party, kinds[kind], at)).collect();
        let mut sorted = listed.clone();
        sorted.sort_by_key(|&(party, kind, at)| (at, party, kind as u8));
        prop_assert_eq!(state(&with(&listed)), state(&with(&sorted)));
    }
}
