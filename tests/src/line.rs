//! Two agencies with a relay between them, lists of numbered people, and what their ledgers say.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mandorla_cli::world::{NodeProcess, exchange_cards};
use mandorla_control::{
    ApiError, AuditLog, AuditReport, AuditVerify, ErrorCode, HitView, PeerExport, RoundPropose,
    RoundShow, RoundView,
};
use mandorla_linkage::{Field, Strength, Subject, Transform, Transforms};
use serde_json::Value;

use crate::agencies::{Agencies, Asked, STEP_WITHIN};
use crate::agreement::{Deal, match_key};
use crate::lists::{List, expected, found};
use crate::relay::Relay;

/// More entries than any test's ledger has.
const LEDGER_ENTRIES: u64 = 10_000;
/// How often a ledger is read while something is awaited in it.
const READ_EVERY: Duration = Duration::from_millis(20);
/// How long one call waits for a change.
const WAIT_MS: u64 = 1_000;

/// Two agencies; what the first sends to the second passes the relay.
#[derive(Debug)]
pub struct Line {
    /// The nodes.
    pub agencies: Agencies,
    /// Between them.
    pub relay: Relay,
}

impl Line {
    /// Two nodes that have each other's cards; the responder's names the relay.
    ///
    /// # Panics
    /// If no socket can be bound, or the responder's configuration cannot be changed.
    pub async fn two() -> Result<Self, ApiError> {
        let mut agencies = Agencies::two().await?;
        let path = agencies.responder().data_dir().join("node.toml");
        let text = fs::read_to_string(&path).expect("a node has its configuration");
        let listen = text
            .lines()
            .find_map(|line| line.strip_prefix("listen = "))
            .expect("a test's node listens at a fixed address");
        let target: SocketAddr = listen.trim_matches('"').parse().expect("an address");
        let relay = Relay::to(target).await.expect("a socket on loopback");
        fs::write(
            &path,
            format!("advertise = \"{}\"\n{text}", relay.address()),
        )
        .expect("a test's own file");
        agencies.world.node_mut(1).stop().await;
        agencies.world.node_mut(1).restart().await?;
        let card = agencies.responder().as_operator(&PeerExport {}).await?;
        agencies.cards[1] = card;
        exchange_cards(agencies.requester(), agencies.responder()).await?;
        Ok(Self { agencies, relay })
    }

    /// Kills a node and starts it again.
    pub async fn crash(&mut self, node: usize) -> Result<(), ApiError> {
        let node = self.agencies.world.node_mut(node);
        node.kill().await?;
        node.restart().await
    }
}

/// One strong match key, the number of a document; the reference may be released.
pub fn numbers_deal() -> Deal {
    let number = match_key(
        "national-id",
        &[Field::NationalId],
        Transforms::All(Transform::Exact),
        Strength::Strong,
        true,
    );
    Deal {
        match_keys: vec![number],
        fields_on_match: vec![Field::CaseRef, Field::NationalId],
        max_set: 40_000,
        fetch_window_s: 180,
        ..Deal::default()
    }
}

/// People with the numbers of a range, under references of their own list.
pub fn numbered(prefix: &str, numbers: std::ops::Range<u32>) -> List {
    let subject = |number: u32| {
        Subject::new(format!("{prefix}-{number:05}"))
            .with(Field::NationalId, format!("{:09}", 731_000_000 + number))
    };
    List::of(&numbers.map(subject).collect::<Vec<_>>())
}

/// The analyst proposes; returns at once.
pub async fn propose(agencies: &Agencies, deal: &Deal) -> Result<RoundView, ApiError> {
    let round = agencies.request(deal);
    agencies
        .requester()
        .as_analyst(&RoundPropose { round })
        .await
}

/// Follows a round through every change that a caller can see until one is as wanted, which may be its end.
pub async fn follow(
    node: &NodeProcess,
    round: &str,
    mut wanted: impl FnMut(&RoundView) -> bool,
) -> Result<RoundView, ApiError> {
    let deadline = Instant::now() + STEP_WITHIN;
    let mut after_revision = None;
    loop {
        let show = RoundShow {
            round: round.to_owned(),
            after_revision,
            wait_ms: after_revision.map(|_| WAIT_MS),
        };
        let view = node.as_analyst(&show).await?;
        if wanted(&view) {
            return Ok(view);
        }
        let over = view.state == "ended" || view.state == "closed";
        if over || Instant::now() > deadline {
            return Err(late(&format!(
                "{} is still {}: {}",
                view.id, view.state, view.detail
            )));
        }
        after_revision = Some(view.revision);
    }
}

/// The entries of a node's ledger with this event, in their order.
pub async fn entries(node: &NodeProcess, event: &str) -> Result<Vec<Value>, ApiError> {
    let log = AuditLog {
        from: 0,
        limit: LEDGER_ENTRIES,
    };
    let mut entries = node.as_auditor(&log).await?;
    entries.retain(|entry| entry["event"] == event);
    Ok(entries)
}

/// Waits until a node's ledger has so many entries with this event.
pub async fn until_logged(node: &NodeProcess, event: &str, count: usize) -> Result<(), ApiError> {
    let deadline = Instant::now() + STEP_WITHIN;
    let mut read = tokio::time::interval(READ_EVERY);
    loop {
        read.tick().await;
        if entries(node, event).await?.len() >= count {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(late(&format!("{} has not logged {event}", node.code())));
        }
    }
}

fn late(what: &str) -> ApiError {
    ApiError::new(ErrorCode::Pending, what.to_owned())
}

/// Both ledgers and both pair logs are intact, and the two sides of the pair log are one.
///
/// # Panics
/// If they are not.
pub async fn logs_agree(agencies: &Agencies) {
    let [own, peers] = [agencies.requester(), agencies.responder()];
    let verify = async |node: &NodeProcess| -> AuditReport {
        let report = node.as_auditor(&AuditVerify {}).await;
        let report = report.expect("an auditor may always verify");
        assert!(report.verified, "{}: {:?}", node.code(), report.faults);
        report
    };
    let (own, peers) = (verify(own).await, verify(peers).await);
    let side = |report: &AuditReport, direction: &str| {
        let mut logs = report.pair_logs.iter();
        let log = logs.find(|log| log.direction == direction);
        log.map(|log| (log.facts, log.root.clone(), log.countersigned))
    };
    let (asked, were_asked) = (side(&own, "we ask"), side(&peers, "they ask"));
    assert!(
        asked
            .as_ref()
            .is_some_and(|(facts, _, signed)| *facts > 0 && *signed)
    );
    assert_eq!(asked, were_asked, "the pair log has one content");
}

/// What the requester holds is what the plaintext join finds.
///
/// # Panics
/// If it is not.
pub fn is_the_join(deal: &Deal, lists: [&List; 2], hits: &[HitView]) {
    let rules = deal.rules();
    let [asked, known] = lists;
    let joined = expected(&rules, &asked.subjects, &known.subjects, deal.max_pairs);
    assert!(!joined.is_empty());
    assert_eq!(found(&rules, hits), joined);
}

/// A proposed round once it waits for approval at both nodes.
pub async fn evaluated(agencies: &Agencies, round: &str) -> Result<Asked, ApiError> {
    let waits = |round: &RoundView| round.state == "awaiting-approval";
    let own = agencies
        .requester()
        .wait_for_round(round, STEP_WITHIN, waits)
        .await?;
    let peer = agencies.world.same_round_at_responder(&own).await?;
    let peer = agencies
        .responder()
        .wait_for_round(&peer.id, STEP_WITHIN, waits)
        .await?;
    Ok(Asked { own, peer })
}
