//! The line between two nodes breaks: rounds go on where they were, and nothing happens twice.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mandorla_cli::world::{agree, both_ways as both_ways_bytes, hits_waiting};
use mandorla_control::{
    HitList, ReviewApprove, ReviewRelease, RoundList, RoundPropose, RoundRequest, RoundView,
};
use mandorla_tests::{
    Agencies, Asked, CASE, Deal, Line, PURPOSE, STEP_WITHIN, Toward, entries, evaluated, follow,
    is_the_join, logs_agree, numbered, numbers_deal, propose, until_logged,
};

/// Long against a message's way through a process, short against every time-out.
const HELD_BACK: Duration = Duration::from_millis(600);

/// Waits until the requester gives up a connection that the cut line carried, and calls again.
async fn until_called_again(line: &Line, mark: usize) {
    let call = |datagram: &mandorla_tests::Datagram| {
        datagram.toward == Toward::Responder && datagram.is_initial()
    };
    tokio::time::timeout(STEP_WITHIN, line.relay.until(mark, call))
        .await
        .expect("the requester calls again");
}

/// Approves without waiting for what comes of it.
async fn approve(line: &Line, asked: &Asked) {
    let approve = ReviewApprove {
        round: asked.own.id.clone(),
        reason: "proportionate".to_owned(),
    };
    line.agencies
        .requester()
        .as_officer(&approve)
        .await
        .unwrap();
}

/// A count of chunks that never goes back.
#[derive(Clone, Default)]
struct Chunks(Arc<AtomicU64>);

impl Chunks {
    fn rose_to(&self, round: &RoundView, at_least: u64) -> bool {
        let Some((done, all)) = round.chunks else {
            return false;
        };
        assert!(all >= 5, "{all} chunks");
        let before = self.0.fetch_max(done, Ordering::SeqCst);
        assert!(
            done >= before,
            "{}: {before} chunks were done, now {done}",
            round.id
        );
        done >= at_least
    }
}

/// Cut twice in the middle of the evaluation: for a moment, and until the connection is given up.
async fn cut_in_the_evaluation() {
    let line = Line::two().await.unwrap();
    let deal = numbers_deal();
    let [asked_about, known] = [numbered("A", 19_990..20_020), numbered("K", 0..20_000)];
    line.agencies
        .prepare(&deal, [&asked_about, &known])
        .await
        .unwrap();
    let requester = line.agencies.requester();
    let round = propose(&line.agencies, &deal).await.unwrap();
    let chunks = Chunks::default();

    follow(requester, &round.id, |round| chunks.rose_to(round, 1))
        .await
        .unwrap();
    line.relay.cut();
    let mark = line.relay.mark();
    line.relay.until(mark, |datagram| datagram.dropped).await;
    line.relay.restore();

    let half = follow(requester, &round.id, |round| chunks.rose_to(round, 3))
        .await
        .unwrap();
    line.relay.cut();
    let mark = line.relay.mark();
    let cut = Instant::now();
    assert_eq!(half.state, "evaluating");
    until_called_again(&line, mark).await;
    eprintln!(
        "the requester gave the line up after {:.1} s",
        cut.elapsed().as_secs_f64()
    );
    let held = follow(requester, &round.id, |round| chunks.rose_to(round, 3))
        .await
        .unwrap();
    assert_eq!(held.state, "evaluating", "the cut was before the end");
    line.relay.restore();

    follow(requester, &round.id, |round| {
        chunks.rose_to(round, 3);
        round.state != "evaluating"
    })
    .await
    .unwrap();
    let asked = evaluated(&line.agencies, &round.id).await.unwrap();
    assert_eq!(
        asked.own.wire_id, half.wire_id,
        "the same round on the wire"
    );
    let charges = entries(requester, "round.terms").await.unwrap();
    assert_eq!(charges.len(), 1, "charged once");
    assert_eq!(charges[0]["detail"]["evaluations"], 32_768);

    let asked = line.agencies.approve(&asked).await.unwrap();
    line.agencies.release_all(&asked).await.unwrap();
    let hits = line.agencies.answer(&asked).await.unwrap();
    is_the_join(&deal, [&asked_about, &known], &hits);
    logs_agree(&line.agencies).await;
}

/// The question arrives, its acknowledgement does not.
async fn cut_at_the_question() {
    let line = Line::two().await.unwrap();
    let deal = Deal {
        slots_s: vec![50],
        ..numbers_deal()
    };
    let [asked_about, known] = [numbered("A", 10..22), numbered("K", 0..20)];
    line.agencies
        .prepare(&deal, [&asked_about, &known])
        .await
        .unwrap();
    let asked = line.agencies.evaluated(&deal).await.unwrap();
    let responder = line.agencies.responder();

    line.relay.delay(Toward::Requester, HELD_BACK);
    approve(&line, &asked).await;
    follow(responder, &asked.peer.id, |round| {
        round.state != "awaiting-approval"
    })
    .await
    .unwrap();
    line.relay.cut();
    line.relay.delay(Toward::Requester, Duration::ZERO);
    let sending = follow(line.agencies.requester(), &asked.own.id, |_| true)
        .await
        .unwrap();
    assert_eq!(sending.state, "sending", "the acknowledgement is lost");
    until_called_again(&line, line.relay.mark()).await;
    let peer = follow(responder, &asked.peer.id, |round| round.state == "matched")
        .await
        .unwrap();
    line.agencies.release_all(&asked).await.unwrap();
    line.relay.restore();

    let own = follow(line.agencies.requester(), &asked.own.id, |round| {
        round.asked_at.is_some()
    });
    let own = own.await.unwrap();
    assert_eq!(own.wire_id, asked.own.wire_id);
    assert_eq!(own.asked_at, peer.asked_at, "the time of the first arrival");
    assert_eq!(
        entries(responder, "question.received").await.unwrap().len(),
        1
    );
    let hits = line.agencies.answer(&asked).await.unwrap();
    is_the_join(&deal, [&asked_about, &known], &hits);
    logs_agree(&line.agencies).await;
}

/// The answer arrives, its receipt does not.
async fn cut_at_the_receipt() {
    let line = Line::two().await.unwrap();
    let deal = numbers_deal();
    let [asked_about, known] = [numbered("A", 10..22), numbered("K", 0..20)];
    line.agencies
        .prepare(&deal, [&asked_about, &known])
        .await
        .unwrap();
    let asked = line.agencies.ask(&deal).await.unwrap();
    line.agencies.release_all(&asked).await.unwrap();
    let (requester, responder) = (line.agencies.requester(), line.agencies.responder());

    line.relay.delay(Toward::Responder, HELD_BACK);
    until_logged(requester, "answer.received", 1).await.unwrap();
    line.relay.cut();
    line.relay.delay(Toward::Responder, Duration::ZERO);
    assert!(
        entries(responder, "receipt.received")
            .await
            .unwrap()
            .is_empty()
    );
    until_called_again(&line, line.relay.mark()).await;
    let closed = follow(requester, &asked.own.id, |_| true).await.unwrap();
    assert!(
        !closed.slots[0].done,
        "not opened before the receipt is acknowledged"
    );
    assert!(
        entries(requester, "answer.opened")
            .await
            .unwrap()
            .is_empty()
    );
    line.relay.restore();

    let hits = line.agencies.answer(&asked).await.unwrap();
    is_the_join(&deal, [&asked_about, &known], &hits);
    let [received, opened] = ["answer.received", "answer.opened"];
    let received = entries(requester, received).await.unwrap();
    let receipts = entries(responder, "receipt.received").await.unwrap();
    assert_eq!((received.len(), receipts.len()), (1, 1));
    assert_eq!(
        received[0]["detail"]["answer_digest"],
        receipts[0]["detail"]["answer_digest"]
    );
    assert_eq!(
        entries(requester, opened).await.unwrap().len(),
        1,
        "opened once"
    );
    logs_agree(&line.agencies).await;
}

/// The three share one wait for the idle time-out.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_line_costs_time_and_nothing_else() {
    let cuts = [
        tokio::spawn(cut_in_the_evaluation()),
        tokio::spawn(cut_at_the_question()),
        tokio::spawn(cut_at_the_receipt()),
    ];
    for cut in cuts {
        cut.await.unwrap();
    }
}

/// The agreement with its one direction allowed in the other, too.
fn both_ways(text: &str) -> String {
    let start = text
        .find("\n# GB asks")
        .expect("the draft explains its one direction");
    let end = start + text[start..].find("\n[result]").expect("results follow");
    let back = text[start..end].replace("GB_to_RS", "RS_to_GB");
    format!("{}{back}{}", &text[..end], &text[end..])
}

/// Three rounds each way at once; each ends as if it were alone.
#[tokio::test(flavor = "multi_thread")]
async fn rounds_at_the_same_time_in_both_directions_do_not_mix() {
    let agencies = Agencies::two().await.unwrap();
    // A question silences its peer for some seconds, so others' answers are fetched late in their windows.
    let deal = Deal {
        slots_s: vec![12],
        ..numbers_deal()
    };
    let lists = [numbered("A", 10..22), numbered("K", 0..20)];
    let nodes = [agencies.requester(), agencies.responder()];
    let text = both_ways(&deal.text([&agencies.cards[0], &agencies.cards[1]]).unwrap());
    agree(nodes[0], nodes[1], &text).await.unwrap();
    for ((node, list), dataset) in nodes.into_iter().zip(&lists).zip(&deal.datasets) {
        node.load(dataset, &list.map, &list.csv).await.unwrap();
    }
    let mut rounds = Vec::new();
    for direction in [0, 1, 0, 1, 0, 1] {
        let (own, peer) = (direction, 1 - direction);
        let round = RoundRequest {
            agreement: deal.id.clone(),
            dataset: deal.datasets[own].clone(),
            peer_dataset: Some(deal.datasets[peer].clone()),
            peer: nodes[peer].code().to_owned(),
            purpose: PURPOSE.to_owned(),
            case_reference: CASE.to_owned(),
        };
        let round = nodes[own]
            .as_analyst(&RoundPropose { round })
            .await
            .unwrap();
        rounds.push((own, peer, round.id));
    }
    for (own, _, round) in &rounds {
        let waits = |round: &RoundView| round.state == "awaiting-approval";
        nodes[*own]
            .wait_for_round(round, STEP_WITHIN, waits)
            .await
            .unwrap();
        let approve = ReviewApprove {
            round: round.clone(),
            reason: "proportionate".to_owned(),
        };
        nodes[*own].as_officer(&approve).await.unwrap();
    }
    for (own, peer, round) in &rounds {
        let asked = |round: &RoundView| round.asked_at.is_some();
        let asked = nodes[*own]
            .wait_for_round(round, STEP_WITHIN, asked)
            .await
            .unwrap();
        let matched = nodes[*peer]
            .as_analyst(&RoundList { state: None })
            .await
            .unwrap();
        let same = matched
            .into_iter()
            .find(|same| same.wire_id == asked.wire_id && same.id != asked.id);
        let same = same.expect("the peer knows the round");
        follow(nodes[*peer], &same.id, |round| round.state == "matched")
            .await
            .unwrap();
        for entry in hits_waiting(nodes[*peer], &same.id).await.unwrap() {
            let release = ReviewRelease {
                hit: entry.item,
                reason: "known subject".to_owned(),
                drop: Vec::new(),
            };
            nodes[*peer].as_officer(&release).await.unwrap();
        }
    }
    for (own, peer, round) in &rounds {
        let fetched = |round: &RoundView| round.slots.iter().all(|slot| slot.done);
        nodes[*own]
            .wait_for_round(round, STEP_WITHIN, fetched)
            .await
            .unwrap();
        let hits = HitList {
            round: Some(round.clone()),
        };
        let hits = nodes[*own].as_analyst(&hits).await.unwrap();
        is_the_join(&deal, [&lists[*own], &lists[*peer]], &hits);
    }
    logs_agree(&agencies).await;
}

/// Sizes of the datagrams of one answer phase, by direction, in ascending order.
type Sizes = [Vec<usize>; 2];

/// A question whose every hit is refused; returns what an observer counts from the match to the end of the answer.
async fn refused(line: &Line, deal: &Deal, hits: usize) -> Sizes {
    let asked = line.agencies.ask(deal).await.unwrap();
    let waiting = line.agencies.waiting(&asked).await.unwrap();
    assert_eq!(waiting.len(), hits);
    for entry in waiting {
        line.agencies.refuse(&entry.item).await.unwrap();
    }
    let requester = line.agencies.requester();
    let before = both_ways_bytes(
        &requester
            .counted(&asked.own.id, both_ways_bytes(&asked.peer))
            .await
            .unwrap(),
    );
    let mark = line.relay.mark();
    assert!(line.agencies.answer(&asked).await.unwrap().is_empty());
    requester.counted(&asked.own.id, before).await.unwrap();
    let seen = line.relay.since(mark);
    [Toward::Requester, Toward::Responder].map(|toward| {
        let of_side = seen.iter().filter(|datagram| datagram.toward == toward);
        let mut sizes: Vec<usize> = of_side.map(|datagram| datagram.bytes.len()).collect();
        sizes.sort_unstable();
        sizes
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_cannot_tell_refused_hits_from_none_and_reads_nothing() {
    let line = Line::two().await.unwrap();
    let deal = numbers_deal();
    let [asked_about, known] = [numbered("Zq7canary", 10..22), numbered("Xw3canary", 0..20)];
    let nobody = numbered("Zq7canary", 30_010..30_022);
    line.agencies
        .prepare(&deal, [&nobody, &known])
        .await
        .unwrap();
    let mut of_kind = [Vec::new(), Vec::new()];
    for turn in 0..3 {
        for (kind, list, hits) in [(0, &nobody, 0), (1, &asked_about, 10)] {
            let requester = line.agencies.requester();
            if turn > 0 || kind > 0 {
                requester
                    .load(&deal.datasets[0], &list.map, &list.csv)
                    .await
                    .unwrap();
            }
            let sizes = refused(&line, &deal, hits).await;
            of_kind[kind].push(sizes);
        }
    }
    // Acknowledgements and probes of the path vary from time to time; a datagram that is lost is sent again. What
    // was needed at least, of each kind, differs by less than any one item would take.
    let [none, all_refused] = of_kind;
    for (direction, name) in ["to the requester", "to the responder"]
        .into_iter()
        .enumerate()
    {
        let bytes = |rounds: &[Sizes]| {
            let sums = rounds
                .iter()
                .map(|sizes| sizes[direction].iter().sum::<usize>());
            sums.min().expect("some rounds")
        };
        let (without, with) = (bytes(&none), bytes(&all_refused));
        eprintln!("{name}: {without} bytes without hits, {with} with ten refused");
        assert!(
            without.abs_diff(with) < deal.item_bytes as usize,
            "{name}: {without}, {with}"
        );
    }
    let answer_bytes = deal.max_release as usize * deal.item_bytes as usize;
    let least = none[0][0].iter().sum::<usize>();
    assert!(least > answer_bytes, "the capture holds a whole answer");
    let capture = line.relay.since(0);
    assert!(capture.len() > 100);
    for word in ["Zq7canary", "Xw3canary", CASE, "731000010", "GB-RS-test"] {
        let holds = |datagram: &mandorla_tests::Datagram| {
            datagram
                .bytes
                .windows(word.len())
                .any(|window| window == word.as_bytes())
        };
        assert!(!capture.iter().any(holds), "{word} was on the line");
    }
}
