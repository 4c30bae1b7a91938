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

#[path = "hostile/answers.rs"]
mod answers;
#[path = "hostile/codec.rs"]
mod codec;
#[path = "hostile/evaluation.rs"]
mod evaluation;
#[path = "hostile/flips.rs"]
mod flips;
#[path = "hostile/items.rs"]
mod items;
#[path = "hostile/matching.rs"]
mod matching;
#[path = "hostile/pair_log.rs"]
mod pair_log;
#[path = "hostile/terms.rs"]
mod terms;

use mandorla_protocol::{ProtocolError, Role};
use world::{Plan, Stop, Subject, World, subject};

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
