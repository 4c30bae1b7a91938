//! A node that was put back goes on with its peer.

use std::sync::Arc;
use std::time::Duration;

use mandorla_control::{AuditReconcile, AuditReport, AuditVerify, RoundPropose};

use super::{Disk, caller, create, secret};
use crate::backup::restore;
use crate::clock::Clock;
use crate::node::Node;
use crate::test_pair::{Side, ask, evaluated, request};

const DAY_S: u64 = 86_400;

async fn audited(side: &Side) -> AuditReport {
    let report = side.call(&AuditVerify {}).await;
    assert!(report.verified, "{:?}", report.faults);
    report
}

/// Facts of the log in which this side asks.
async fn facts_of(side: &Side) -> u64 {
    let logs = audited(side).await.pair_logs;
    let log = logs.iter().find(|log| log.direction == "we ask");
    log.map_or(0, |log| log.facts)
}

/// Root of the log in which UK asks, once it has so many facts; the same at both, with both signatures.
async fn shared(uk: &Side, rs: &Side, facts: u64) -> String {
    // A round that waits for its approval may still be settling.
    let settled = async { while facts_of(uk).await != facts {} };
    let settled = tokio::time::timeout(Duration::from_mins(1), settled).await;
    assert!(settled.is_ok(), "the log does not come to {facts} facts");
    let [own, peers] = [uk, rs].map(audited);
    let (own, peers) = (own.await.pair_logs, peers.await.pair_logs);
    let log = own.iter().find(|log| log.direction == "we ask").unwrap();
    let other = peers.iter().find(|log| log.direction == "they ask");
    let other = other.unwrap();
    assert!(log.countersigned && other.countersigned);
    assert_eq!((log.facts, &log.root), (other.facts, &other.root));
    log.root.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_node_reconciles_and_a_new_round_works() {
    let uk = Side::start("UK", "GB", |_| {}).await;
    let rs = Side::start("RS", "RS", |_| {}).await;
    // Each round leaves two facts until it is approved: terms and evaluation.
    evaluated(&uk, &rs).await;
    shared(&uk, &rs, 2).await;
    let mut disk = Disk {
        bytes: Vec::new(),
        room: usize::MAX,
    };
    create::write(&uk.node, &caller(), &secret(), &mut disk).unwrap();
    ask(&uk).await;
    let root = shared(&uk, &rs, 4).await;

    let clock_ms = Arc::clone(&uk.clock_ms);
    let clock = Clock::Manual(Arc::clone(&clock_ms));
    let dir = uk.stop().await;
    let (file, keys) = (dir.path().join("backup"), dir.path().join("node/keys.toml"));
    std::fs::write(&file, &disk.bytes).unwrap();
    let restored = dir.path().join("restored");
    restore(&file, &secret(), &keys, None, &restored, &clock).unwrap();
    let node = Node::open(&restored, clock, None).unwrap();
    let uk = Side::run(dir, clock_ms, node).await;
    assert_eq!(facts_of(&uk).await, 2, "it is behind");
    let ana = uk.client(Some("ana"));
    let propose = RoundPropose { round: request() };
    let refused = ana.call(&propose).await.unwrap_err();
    assert!(
        refused.to_string().contains("came from a backup"),
        "{refused}"
    );

    let peer = "RS".to_owned();
    let report = uk.call(&AuditReconcile { peer }).await;
    assert_eq!(report.faults, Vec::<String>::new());
    assert_eq!(report.logs[0].outcome, "adopted");
    assert_eq!(shared(&uk, &rs, 4).await, root);

    // After a restore the period counts as used up: the next one is waited for.
    for side in [&uk, &rs] {
        side.advance(8 * DAY_S);
    }
    ask(&uk).await;
    assert_ne!(shared(&uk, &rs, 6).await, root);
    for side in [uk, rs] {
        side.stop().await;
    }
}
