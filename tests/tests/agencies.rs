//! The harness keeps its promises: waits end, processes end with their owner, killed nodes come back.

use std::path::PathBuf;

use mandorla_control::Status;
use mandorla_tests::Agencies;

fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A killed child that nobody has waited for yet is a zombie: it runs no more.
    let state = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.trim_start().chars().next());
    state.is_some_and(|state| state != Some('Z'))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_comes_back_as_the_same_node() {
    let mut agencies = Agencies::two().await.unwrap();
    let before = agencies.responder().as_operator(&Status {}).await.unwrap();
    agencies.world.node_mut(1).kill().await.unwrap();
    assert!(!runs(before.pid));
    assert!(agencies.responder().as_operator(&Status {}).await.is_err());
    agencies.world.node_mut(1).restart().await.unwrap();
    let after = agencies.responder().as_operator(&Status {}).await.unwrap();
    assert_eq!(after.fingerprint, before.fingerprint);
    assert_ne!(after.pid, before.pid);
    assert_eq!(after.peers, 1);
    agencies.world.node_mut(1).stop().await;
    assert!(!runs(after.pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_leaves_no_process_and_no_directory() {
    let (told, hears) = std::sync::mpsc::channel::<(Vec<u32>, PathBuf)>();
    let failed = tokio::spawn(async move {
        let agencies = Agencies::two().await.unwrap();
        let nodes = [agencies.requester(), agencies.responder()];
        let pids = nodes.map(|node| node.pid().unwrap()).to_vec();
        told.send((pids, agencies.world.root().to_owned())).unwrap();
        panic!("as a failed test does");
    });
    assert!(failed.await.unwrap_err().is_panic());
    let (pids, root) = hears.recv().unwrap();
    assert!(pids.into_iter().all(|pid| !runs(pid)));
    assert!(!root.exists());
}
