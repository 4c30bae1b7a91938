//! One round, measured from outside the two processes.

use std::time::{Duration, Instant};

use mandorla_control::{ApiError, HitList, ReviewRelease, RoundView};
use mandorla_linkage::{Field, MatchKeyRule, Strength, Transform, Transforms};

use super::RoundArgs;
use super::lists::{MAP, csv};
use super::report::{Report, Side};
use crate::output::Output;
use crate::trial_agreement::Trial;
use crate::when::grouped;
use crate::world::{NodeSpec, TRIAL_USERS, Usage, World, both_ways, hits_waiting, ports};

/// Id of the agreement.
const AGREEMENT: &str = "bench";
/// The one list of each node.
const DATASET: &str = "bench";
/// Most hits that are released: enough to exercise the answer without measuring decisions, which people take.
const RELEASES_MAX: u64 = 64;
/// The slot leaves this long for the releases, and a second more for so many subjects.
const SLOT_S_MIN: u64 = 8;
const SUBJECTS_PER_SLOT_S: u64 = 50_000;
/// The evaluation of the largest lists on one slow core; an interrupt ends it at any time.
const SETUP_WITHIN: Duration = Duration::from_hours(24);
/// The question, the match and the answer.
const QUESTION_WITHIN: Duration = Duration::from_hours(1);

/// Both processes at one moment.
#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    requester: Usage,
    responder: Usage,
}

impl Moment {
    fn of(world: &World) -> Result<Self, ApiError> {
        Ok(Self {
            at: Instant::now(),
            requester: world.requester().usage()?,
            responder: world.responder().usage()?,
        })
    }

    fn since(&self, earlier: &Self) -> f64 {
        to_ms(self.at.duration_since(earlier.at).as_secs_f64())
    }
}

/// Starts two nodes in `world` and measures a round between them.
pub(super) async fn round(
    args: &RoundArgs,
    world: &mut World,
    out: &Output,
) -> Result<Report, ApiError> {
    let slot_s = SLOT_S_MIN + (args.requester + args.responder) / SUBJECTS_PER_SLOT_S;
    prepare(args, slot_s, world, out).await?;
    let requester = world.requester();
    let begun = Moment::of(world)?;
    out.say("evaluating");
    let proposed = world
        .propose(AGREEMENT, [DATASET, DATASET], "BENCH")
        .await?;
    requester
        .wait_for_round(&proposed.id, SETUP_WITHIN, |round| {
            round.state == "awaiting-approval"
        })
        .await?;
    let set_up = Moment::of(world)?;
    let setup_bytes = both_ways(&requester.counted(&proposed.id, 0).await?);
    let approval = Moment::of(world)?;
    out.say("asking");
    world.approve(&proposed.id, "benchmark").await?;
    let asked = requester
        .wait_for_round(&proposed.id, QUESTION_WITHIN, |round| {
            round.state == "awaiting-answers"
        })
        .await?;
    let at_responder = world.same_round_at_responder(&asked).await?;
    let matched_view = world
        .responder()
        .wait_for_round(&at_responder.id, QUESTION_WITHIN, |round| {
            round.state == "matched"
        })
        .await?;
    let matched = Moment::of(world)?;
    let question_bytes =
        both_ways(&requester.counted(&proposed.id, setup_bytes).await?) - setup_bytes;
    out.say("answering");
    let (hits, released) = release(world, &matched_view.id).await?;
    let (answered, received) = receive(world, &proposed.id, setup_bytes + question_bytes).await?;
    let ended = Moment::of(world)?;
    let side = |usage: fn(&Moment) -> Usage, wire_bytes_out| Side {
        cpu_s: to_ms(usage(&ended).cpu_s - usage(&begun).cpu_s),
        setup_cpu_s: to_ms(usage(&set_up).cpu_s - usage(&begun).cpu_s),
        peak_rss_bytes: usage(&ended).peak_rss_bytes,
        wire_bytes_out,
    };
    Ok(Report {
        schema: 1,
        mode: "fresh",
        requester_n: args.requester,
        responder_n: args.responder,
        hits,
        expected_hits: args.expected_hits(),
        released,
        received,
        setup_wall_s: set_up.since(&begun),
        question_wall_s: matched.since(&approval),
        question_wire_bytes: question_bytes,
        wall_s: matched.since(&begun),
        round_wall_s: ended.since(&begun),
        slot_s,
        requester: side(|moment| moment.requester, answered.wire_bytes.0),
        responder: side(|moment| moment.responder, answered.wire_bytes.1),
    })
}

async fn prepare(
    args: &RoundArgs,
    slot_s: u64,
    world: &mut World,
    out: &Output,
) -> Result<(), ApiError> {
    out.say(&format!(
        "two nodes, {} and {} subjects",
        grouped(args.requester),
        grouped(args.responder)
    ));
    for (country, port) in ["GB", "RS"].into_iter().zip(ports(None)?) {
        let spec = NodeSpec {
            country,
            name: "Benchmark",
            port,
            threads: args.threads.map(usize::from),
            users: &TRIAL_USERS,
        };
        world.start(&spec).await?;
    }
    // The last people of one list are the first of the other.
    let first_of_responder = args.requester - args.expected_hits();
    world
        .requester()
        .load(DATASET, MAP, &csv(0, args.requester))
        .await?;
    world
        .responder()
        .load(DATASET, MAP, &csv(first_of_responder, args.responder))
        .await?;
    let (cards, _) = world.exchange_cards().await?;
    let trial = Trial {
        id: AGREEMENT,
        title: "Benchmark with invented numbers",
        cards: [&cards[0], &cards[1]],
        datasets: [(DATASET, args.requester), (DATASET, args.responder)],
        match_keys: vec![MatchKeyRule {
            id: "national-id".to_owned(),
            fields: vec![Field::NationalId],
            transform: Transforms::All(Transform::Exact),
            strength: Strength::Strong,
            alone: true,
            bits: Some(43), // 13 digits
        }],
        pilot: false,
        slot_s,
        max_release: u32::try_from(RELEASES_MAX).expect("a small constant"),
        max_overlap: args.expected_hits().max(1),
        fields_on_match: vec![Field::NationalId],
    };
    world.agree(&trial.text()?).await
}

/// Releases as many hits as the answer has places. Returns the hits found and those released.
async fn release(world: &World, round: &str) -> Result<(u64, u64), ApiError> {
    let waiting = hits_waiting(world.responder(), round).await?;
    let hits = waiting.len() as u64;
    let released = hits.min(RELEASES_MAX);
    for entry in waiting
        .into_iter()
        .take(usize::try_from(released).expect("a small number"))
    {
        let release = ReviewRelease {
            hit: entry.item,
            reason: "benchmark".to_owned(),
            drop: Vec::new(),
        };
        world.responder().as_officer(&release).await?;
    }
    Ok((hits, released))
}

/// Waits for the answer. Returns the round after it and the hits received.
async fn receive(
    world: &World,
    round: &str,
    bytes_before: u64,
) -> Result<(RoundView, u64), ApiError> {
    let fetched =
        |round: &RoundView| !round.slots.is_empty() && round.slots.iter().all(|slot| slot.done);
    world
        .requester()
        .wait_for_round(round, QUESTION_WITHIN, fetched)
        .await?;
    let view = world.requester().counted(round, bytes_before).await?;
    let list = HitList {
        round: Some(round.to_owned()),
    };
    let received = world.requester().as_analyst(&list).await?.len() as u64;
    Ok((view, received))
}

/// Rounded to milliseconds: finer than any of the clocks read here deserves.
fn to_ms(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}
