//! Processes are killed in each state of a round; started again on the same data, the round goes on or has disclosed
//! nothing, and nothing happens twice.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mandorla_control::{
    Client, HitList, ReviewApprove, ReviewInbox, ReviewRelease, RoundList, RoundPropose,
    RoundRequest, RoundView,
};
use mandorla_tests::{
    Agencies, Asked, CASE, Datagram, Deal, Line, List, PURPOSE, STEP_WITHIN, Toward, entries,
    evaluated, follow, is_the_join, logs_agree, numbered, numbers_deal, propose, until_logged,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

const REQUESTER: usize = 0;
const RESPONDER: usize = 1;

/// Long against a message's way through a process, short against every time-out.
const HELD_BACK: Duration = Duration::from_millis(600);

/// Evaluations of one attempt over twenty thousand match keys.
const PADDED: u64 = 32_768;

async fn approve(agencies: &Agencies, asked: &Asked) {
    let approve = ReviewApprove {
        round: asked.own.id.clone(),
        reason: "proportionate".to_owned(),
    };
    agencies.requester().as_officer(&approve).await.unwrap();
}

/// Evaluations charged, from the ledger: a sum that only grows.
async fn charged(agencies: &Agencies) -> u64 {
    let terms = entries(agencies.requester(), "round.terms").await.unwrap();
    let count = |entry: &serde_json::Value| entry["detail"]["evaluations"].as_u64().unwrap();
    terms.iter().map(count).sum()
}

/// A line cut in the middle of the evaluation, so that it stands still there.
async fn stopped_in_the_evaluation(line: &Line, deal: &Deal) -> RoundView {
    let round = propose(&line.agencies, deal).await.unwrap();
    let some = |round: &RoundView| round.chunks.is_some_and(|(done, _)| done >= 1);
    follow(line.agencies.requester(), &round.id, some)
        .await
        .unwrap();
    line.relay.cut();
    let round = follow(line.agencies.requester(), &round.id, |_| true)
        .await
        .unwrap();
    assert_eq!(round.state, "evaluating");
    round
}

async fn state(line: &Line, node: usize, round: &str) -> RoundView {
    follow(line.agencies.world.node(node), round, |_| true)
        .await
        .unwrap()
}

async fn large(line: &Line, deal: &Deal) -> [List; 2] {
    let lists = [numbered("A", 19_990..20_020), numbered("K", 0..20_000)];
    line.agencies
        .prepare(deal, [&lists[0], &lists[1]])
        .await
        .unwrap();
    lists
}

async fn small(line: &Line, deal: &Deal) -> [List; 2] {
    let lists = [numbered("A", 10..22), numbered("K", 0..20)];
    line.agencies
        .prepare(deal, [&lists[0], &lists[1]])
        .await
        .unwrap();
    lists
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_killed_in_each_state_asks_once_and_opens_once() {
    let mut line = Line::two().await.unwrap();
    let deal = Deal {
        slots_s: vec![6],
        ..numbers_deal()
    };
    let lists = large(&line, &deal).await;

    // Evaluating: the keys die with the process, so the round begins again and is charged again.
    let first = stopped_in_the_evaluation(&line, &deal).await;
    assert_eq!(charged(&line.agencies).await, PADDED);
    line.agencies
        .world
        .node_mut(REQUESTER)
        .kill()
        .await
        .unwrap();
    line.relay.restore();
    line.agencies
        .world
        .node_mut(REQUESTER)
        .restart()
        .await
        .unwrap();
    let asked = evaluated(&line.agencies, &first.id).await.unwrap();
    assert_ne!(
        asked.own.wire_id, first.wire_id,
        "new keys are a new round on the wire"
    );
    assert_eq!(charged(&line.agencies).await, 2 * PADDED, "never refunded");

    // Awaiting approval.
    line.crash(REQUESTER).await.unwrap();
    let own = state(&line, REQUESTER, &asked.own.id).await;
    assert_eq!(
        (own.state.as_str(), &own.wire_id),
        ("awaiting-approval", &asked.own.wire_id)
    );

    // Sending.
    line.relay.cut();
    approve(&line.agencies, &asked).await;
    line.crash(REQUESTER).await.unwrap();
    assert_eq!(
        state(&line, REQUESTER, &asked.own.id).await.state,
        "sending"
    );
    line.relay.restore();
    follow(line.agencies.responder(), &asked.peer.id, |round| {
        round.state == "matched"
    })
    .await
    .unwrap();

    // Awaiting answers.
    follow(line.agencies.requester(), &asked.own.id, |round| {
        round.state == "awaiting-answers"
    })
    .await
    .unwrap();
    line.crash(REQUESTER).await.unwrap();
    line.agencies.release_all(&asked).await.unwrap();

    // The answer is stored and its receipt under way.
    line.relay.delay(Toward::Responder, HELD_BACK);
    until_logged(line.agencies.requester(), "answer.received", 1)
        .await
        .unwrap();
    line.agencies
        .world
        .node_mut(REQUESTER)
        .kill()
        .await
        .unwrap();
    line.relay.cut();
    line.relay.delay(Toward::Responder, Duration::ZERO);
    line.relay.restore();
    assert!(
        entries(line.agencies.responder(), "receipt.received")
            .await
            .unwrap()
            .is_empty()
    );
    line.agencies
        .world
        .node_mut(REQUESTER)
        .restart()
        .await
        .unwrap();

    let hits = line.agencies.answer(&asked).await.unwrap();
    is_the_join(&deal, [&lists[0], &lists[1]], &hits);
    let requester = line.agencies.requester();
    for event in [
        "question.approved",
        "question.acknowledged",
        "answer.received",
        "answer.opened",
    ] {
        assert_eq!(entries(requester, event).await.unwrap().len(), 1, "{event}");
    }
    let received = entries(line.agencies.responder(), "question.received")
        .await
        .unwrap();
    assert_eq!(received.len(), 1, "one question");
    assert_eq!(charged(&line.agencies).await, 2 * PADDED);
    logs_agree(&line.agencies).await;
}

/// Killed while it is evaluated: it goes on from the chunks that it had verified.
async fn responder_killed_in_the_evaluation() {
    let mut line = Line::two().await.unwrap();
    let deal = numbers_deal();
    let lists = large(&line, &deal).await;
    let round = stopped_in_the_evaluation(&line, &deal).await;
    let peer = line
        .agencies
        .world
        .same_round_at_responder(&round)
        .await
        .unwrap();
    line.crash(RESPONDER).await.unwrap();
    let after = state(&line, RESPONDER, &peer.id).await;
    assert_eq!(after.state, "evaluating");
    assert!(
        after.chunks >= peer.chunks,
        "{:?}, then {:?}",
        peer.chunks,
        after.chunks
    );
    line.relay.restore();
    let asked = evaluated(&line.agencies, &round.id).await.unwrap();
    assert_eq!(
        asked.own.wire_id, round.wire_id,
        "the same round on the wire"
    );
    assert_eq!(charged(&line.agencies).await, PADDED);

    // Awaiting the question.
    line.crash(RESPONDER).await.unwrap();
    let asked = line.agencies.approve(&asked).await.unwrap();
    line.agencies.release_all(&asked).await.unwrap();
    let hits = line.agencies.answer(&asked).await.unwrap();
    is_the_join(&deal, [&lists[0], &lists[1]], &hits);
    logs_agree(&line.agencies).await;
}

/// Killed with the question durable and its acknowledgement under way, with some decisions taken, and with the answer
/// frozen and its slot passing meanwhile.
async fn responder_killed_with_the_question() {
    let mut line = Line::two().await.unwrap();
    let deal = Deal {
        slots_s: vec![50],
        ..numbers_deal()
    };
    let lists = small(&line, &deal).await;
    let asked = line.agencies.evaluated(&deal).await.unwrap();
    line.relay.delay(Toward::Requester, HELD_BACK);
    approve(&line.agencies, &asked).await;
    follow(line.agencies.responder(), &asked.peer.id, |round| {
        round.asked_at.is_some()
    })
    .await
    .unwrap();
    line.agencies
        .world
        .node_mut(RESPONDER)
        .kill()
        .await
        .unwrap();
    line.relay.cut();
    line.relay.delay(Toward::Requester, Duration::ZERO);
    assert_eq!(
        state(&line, REQUESTER, &asked.own.id).await.state,
        "sending"
    );
    line.relay.restore();
    line.agencies
        .world
        .node_mut(RESPONDER)
        .restart()
        .await
        .unwrap();
    let matched = |round: &RoundView| round.state == "matched";
    follow(line.agencies.responder(), &asked.peer.id, matched)
        .await
        .unwrap();

    let waiting = decided_over_a_kill(&mut line, &asked).await;
    let own = follow(line.agencies.requester(), &asked.own.id, |round| {
        round.asked_at.is_some()
    });
    let own = own.await.unwrap();
    until_logged(line.agencies.responder(), "answer.frozen", 1)
        .await
        .unwrap();
    line.agencies
        .world
        .node_mut(RESPONDER)
        .kill()
        .await
        .unwrap();
    let mark = line.relay.mark();
    let slot = std::time::UNIX_EPOCH + Duration::from_secs(own.slots[0].due);
    let call = line.relay.until(mark, Datagram::is_initial);
    tokio::time::timeout(STEP_WITHIN, call)
        .await
        .expect("the requester calls at the slot");
    assert!(
        std::time::SystemTime::now() >= slot,
        "it called before the slot"
    );
    line.agencies
        .world
        .node_mut(RESPONDER)
        .restart()
        .await
        .unwrap();

    let hits = line.agencies.answer(&asked).await.unwrap();
    let got: BTreeSet<&str> = hits.iter().map(|hit| hit.id.as_str()).collect();
    let released = waiting[..4]
        .iter()
        .chain(&waiting[5..9])
        .map(String::as_str)
        .collect();
    assert_eq!(got, released, "exactly what was released");
    for (event, count) in [
        ("question.received", 1),
        ("hit.released", 8),
        ("answer.frozen", 1),
    ] {
        let logged = entries(line.agencies.responder(), event).await.unwrap();
        assert_eq!(logged.len(), count, "{event}");
    }
    assert_eq!(lists[0].subjects.len(), 12);
    logs_agree(&line.agencies).await;
}

/// Releases four of ten hits and refuses one, is killed, and finds that so; releases four more. Gives all ten.
async fn decided_over_a_kill(line: &mut Line, asked: &Asked) -> Vec<String> {
    let waiting: Vec<String> = line
        .agencies
        .waiting(asked)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| entry.item)
        .collect();
    assert_eq!(waiting.len(), 10, "hits are there after the kill");
    for hit in &waiting[..4] {
        line.agencies.release(hit, &[]).await.unwrap();
    }
    line.agencies.refuse(&waiting[4]).await.unwrap();
    line.crash(RESPONDER).await.unwrap();
    for hit in &waiting[..4] {
        assert_eq!(line.agencies.page(hit).await.unwrap().decision, "released");
    }
    assert_eq!(
        line.agencies.page(&waiting[4]).await.unwrap().decision,
        "refused"
    );
    assert_eq!(line.agencies.waiting(asked).await.unwrap().len(), 5);
    for hit in &waiting[5..9] {
        line.agencies.release(hit, &[]).await.unwrap();
    }
    waiting
}

/// Both wait for the idle time-out of a connection whose other end died; they share the wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_responder_killed_in_each_state_keeps_what_was_verified_found_and_decided() {
    let kills = [
        tokio::spawn(responder_killed_in_the_evaluation()),
        tokio::spawn(responder_killed_with_the_question()),
    ];
    for kill in kills {
        kill.await.unwrap();
    }
}

/// How often people and the test look for something to do.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Kills of a random node at random moments.
const KILLS: usize = 10;
/// A round of this size takes some seconds in all; most of it passes between the question and the slot.
const KILL_WITHIN_MS: u64 = 2_500;

/// People who do their work whenever the nodes let them: they propose, approve and release everything.
struct People {
    analyst: Client,
    officer: Client,
    peers_officer: Client,
    request: RoundRequest,
    /// They propose no more than so many rounds.
    rounds_max: Arc<AtomicUsize>,
}

impl People {
    fn of(agencies: &Agencies, deal: &Deal, rounds_max: Arc<AtomicUsize>) -> Self {
        Self {
            rounds_max,
            analyst: agencies.requester().client("a.analyst"),
            officer: agencies.requester().client("p.officer"),
            peers_officer: agencies.responder().client("p.officer"),
            request: RoundRequest {
                agreement: deal.id.clone(),
                dataset: deal.datasets[0].clone(),
                peer_dataset: Some(deal.datasets[1].clone()),
                peer: agencies.responder().code().to_owned(),
                purpose: PURPOSE.to_owned(),
                case_reference: CASE.to_owned(),
            },
        }
    }

    /// Does what there is to do; a node that is down, or a step that came too late, is met again the next time.
    async fn work(&self) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            if let Ok(rounds) = self.analyst.call(&RoundList { state: None }).await {
                let may = rounds.len() < self.rounds_max.load(Ordering::SeqCst);
                if may && rounds.iter().all(is_answered) {
                    let round = self.request.clone();
                    let _ = self.analyst.call(&RoundPropose { round }).await;
                }
                for round in rounds
                    .iter()
                    .filter(|round| round.state == "awaiting-approval")
                {
                    let approve = ReviewApprove {
                        round: round.id.clone(),
                        reason: "proportionate".to_owned(),
                    };
                    let _ = self.officer.call(&approve).await;
                }
            }
            let inbox = self
                .peers_officer
                .call(&ReviewInbox {})
                .await
                .unwrap_or_default();
            for entry in inbox.into_iter().filter(|entry| entry.kind == "hit") {
                let release = ReviewRelease {
                    hit: entry.item,
                    reason: "known subject".to_owned(),
                    drop: Vec::new(),
                };
                let _ = self.peers_officer.call(&release).await;
            }
        }
    }
}

/// Whether a round has all its answers, or is over.
fn is_answered(round: &RoundView) -> bool {
    let fetched = !round.slots.is_empty() && round.slots.iter().all(|slot| slot.done);
    fetched || round.state == "closed" || round.state == "ended"
}

async fn rounds(line: &Line) -> Vec<RoundView> {
    let list = RoundList { state: None };
    let rounds = line.agencies.requester().as_analyst(&list).await;
    rounds.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_random_moments_cost_time_and_nothing_else() {
    let seed: u64 = rand::rng().random();
    eprintln!("seed of the kills: {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut line = Line::two().await.unwrap();
    let deal = Deal {
        slots_s: vec![5],
        ..numbers_deal()
    };
    let lists = small(&line, &deal).await;
    let rounds_max = Arc::new(AtomicUsize::new(usize::MAX));
    let people = People::of(&line.agencies, &deal, Arc::clone(&rounds_max));
    let work = tokio::spawn(async move { people.work().await });
    let mut charges = 0;
    for _ in 0..KILLS {
        let wait = Duration::from_millis(rng.random_range(0..KILL_WITHIN_MS));
        tokio::time::sleep(wait).await;
        line.crash(rng.random_range(0..2)).await.unwrap();
        let now = charged(&line.agencies).await;
        assert!(
            now >= charges,
            "{charges} evaluations were charged, now {now}"
        );
        charges = now;
    }
    // One more round, in peace: what the pair logs owed each other is settled in it.
    let before = rounds(&line).await.len();
    rounds_max.store(before + 1, Ordering::SeqCst);
    let deadline = Instant::now() + STEP_WITHIN;
    let mut look = tokio::time::interval(LOOK_EVERY);
    let rounds = loop {
        look.tick().await;
        let rounds = rounds(&line).await;
        if rounds.len() > before && rounds.iter().all(is_answered) {
            break rounds;
        }
        assert!(Instant::now() < deadline, "{rounds:?}");
    };
    work.abort();

    let mut compared = 0;
    for round in &rounds {
        let hits = HitList {
            round: Some(round.id.clone()),
        };
        let hits = line.agencies.requester().as_analyst(&hits).await.unwrap();
        let answered = round.slots.first().is_some_and(|slot| slot.done);
        if answered {
            is_the_join(&deal, [&lists[0], &lists[1]], &hits);
            compared += 1;
        } else {
            assert!(hits.is_empty(), "{} discloses nothing", round.id);
        }
    }
    eprintln!("{} rounds, {compared} answered", rounds.len());
    assert!(compared > 0);
    let opened = entries(line.agencies.requester(), "answer.opened")
        .await
        .unwrap();
    assert_eq!(opened.len(), compared, "each opened once");
    logs_agree(&line.agencies).await;
}
