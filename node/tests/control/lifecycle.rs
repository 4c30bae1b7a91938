//! Start, stop, start again; and two that want the same.

use std::sync::Arc;

use mandorla_control::{AuditVerify, Client, ClientError, ErrorCode, Status};
use mandorla_node::{Access, Clock, InitOptions, Node, init, run};

use crate::world::{Running, data_dir};

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_leaves_no_socket_and_starts_again_with_its_history() {
    let node = Running::start("UK", "GB").await;
    let before = node.call(&AuditVerify {}).await;
    let socket = node.socket();
    let dir = node.stop().await;
    assert!(!socket.exists());
    let unreachable = Client::new(&socket, None).call(&Status {}).await;
    assert!(matches!(unreachable, Err(ClientError::Unreachable { .. })));

    let again = Running::start_in(dir).await;
    let after = again.call(&AuditVerify {}).await;
    assert!(after.verified);
    let events: Vec<_> = again.ledger().await;
    let events: Vec<_> = events
        .iter()
        .map(|entry| entry["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        events,
        [
            "store.created",
            "node.pseudonym_key_made",
            "node.started",
            "node.stopped",
            "node.started"
        ]
    );
    assert_eq!(after.entries, before.entries + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_data_directory_has_one_daemon() {
    let node = Running::start("UK", "GB").await;
    let second = Node::open(&node.data_dir(), Clock::System, None)
        .err()
        .unwrap();
    assert_eq!(second.code(), ErrorCode::AlreadyRunning);
    assert!(node.client("olga").call(&Status {}).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named_and_the_first_node_lives_on() {
    let node = Running::start("UK", "GB").await;
    let dir = tempfile::tempdir().unwrap();
    init(
        &InitOptions {
            name: "Another agency".into(),
            code: "RS".into(),
            country: "RS".into(),
            listen: node.address,
            data_dir: data_dir(&dir),
            access: Access::default(),
            users: Vec::new(),
        },
        None,
    )
    .unwrap();
    let second = Node::open(&data_dir(&dir), Clock::System, None).unwrap();
    let refused = run(Arc::clone(&second), |_| ()).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::AlreadyRunning);
    assert!(refused.to_string().contains(&node.address.to_string()));
    assert!(!data_dir(&dir).join("control.sock").exists());
    assert!(node.client("olga").call(&Status {}).await.is_ok());
}
