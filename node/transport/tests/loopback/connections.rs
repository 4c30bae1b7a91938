//! Connections that stand.

use mandorla_transport::{BindError, CloseCode, Closed, ConnectError, Endpoint, Limits, frame};

use crate::world::{Node, connect, connected, key, loopback};

const MAX: u32 = 1 << 20;

#[tokio::test]
async fn peers_that_know_each_other_talk_in_both_directions() {
    let (a, b, at_a, at_b) = connected().await;
    assert_eq!(at_a.peer(), b.key);
    assert_eq!(at_b.peer(), a.key);
    assert_eq!(at_a.remote_address(), b.addr());
    assert_eq!(at_b.remote_address(), a.addr());

    for (from, to) in [(&at_a, &at_b), (&at_b, &at_a)] {
        let (mut ask, mut reply) = from.open_bi().await.unwrap();
        frame::write_frame(&mut ask, b"question", MAX)
            .await
            .unwrap();
        let (mut answer, mut asked) = to.accept_bi().await.unwrap();
        assert_eq!(
            frame::read_frame(&mut asked, MAX).await.unwrap().unwrap(),
            b"question"
        );
        frame::write_frame(&mut answer, b"answer", MAX)
            .await
            .unwrap();
        assert_eq!(
            frame::read_frame(&mut reply, MAX).await.unwrap().unwrap(),
            b"answer"
        );

        let bulk = vec![0xa5; 1_000_000];
        let mut send = from.open_uni().await.unwrap();
        let receive = async {
            to.accept_uni()
                .await
                .unwrap()
                .read_to_end(bulk.len())
                .await
                .unwrap()
        };
        let ((), received) = tokio::join!(
            async {
                send.write_all(&bulk).await.unwrap();
                send.finish().unwrap();
            },
            receive
        );
        assert!(received == bulk);
    }
    assert!(at_a.stats().udp_tx_bytes > 1_000_000);
    assert!(at_a.stats().udp_rx_bytes > 1_000_000);
}

#[tokio::test]
async fn each_node_can_be_the_one_that_connects() {
    let (a, b, _at_a, _at_b) = connected().await;
    let (at_b, at_a) = connect(&b, &a).await;
    assert_eq!(at_b.peer(), a.key);
    assert_eq!(at_a.peer(), b.key);
}

#[tokio::test]
async fn exporter_is_the_same_on_both_ends_and_nowhere_else() {
    let (a, b, at_a, at_b) = connected().await;
    let here = at_a.exporter(b"round", b"id 1").unwrap();
    assert_eq!(here, at_b.exporter(b"round", b"id 1").unwrap());
    assert_ne!(here, at_a.exporter(b"round", b"id 2").unwrap());
    assert_ne!(here, at_a.exporter(b"other", b"id 1").unwrap());
    let (next_at_a, next_at_b) = connect(&a, &b).await;
    let next = next_at_a.exporter(b"round", b"id 1").unwrap();
    assert_eq!(next, next_at_b.exporter(b"round", b"id 1").unwrap());
    assert_ne!(here, next);
}

#[tokio::test]
async fn the_code_of_a_close_reaches_the_peer() {
    let (_a, _b, at_a, at_b) = connected().await;
    at_a.close(CloseCode(0x101), "round over");
    assert_eq!(
        at_b.closed().await,
        Closed::ByPeer {
            code: CloseCode(0x101)
        }
    );
    assert_eq!(
        at_b.close_reason(),
        Some(Closed::ByPeer {
            code: CloseCode(0x101)
        })
    );
    assert_eq!(at_a.closed().await, Closed::Here);
}

#[tokio::test]
async fn dropping_every_handle_ends_the_connection() {
    let (_a, _b, at_a, at_b) = connected().await;
    drop(at_b);
    assert_eq!(
        at_a.closed().await,
        Closed::ByPeer {
            code: CloseCode::DONE
        }
    );
}

#[tokio::test]
async fn closing_an_endpoint_tells_its_peers_and_ends_accepting() {
    let (a, b, at_a, at_b) = connected().await;
    b.endpoint.close();
    assert_eq!(
        at_a.closed().await,
        Closed::ByPeer {
            code: CloseCode::SHUTDOWN
        }
    );
    assert_eq!(at_b.closed().await, Closed::Here);
    assert!(b.endpoint.accept().await.is_none());
    assert_eq!(
        b.endpoint.connect(a.addr(), &a.key).await.unwrap_err(),
        ConnectError::EndpointClosed
    );
    b.endpoint.drained().await;
}

#[tokio::test]
async fn a_dropped_endpoint_frees_its_port() {
    let node = Node::new(1, &[]);
    let addr = node.addr();
    drop(node);
    // The driver lets go of the socket when it next runs; each yield lets it.
    for _ in 0..1_000 {
        let bound = Endpoint::bind(
            addr,
            &key(1),
            Node::new(3, &[]).directory.clone(),
            Limits::default(),
        );
        if bound.is_ok() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{addr} is still taken");
}

#[tokio::test]
async fn a_second_endpoint_on_the_same_port_is_told_so() {
    let node = Node::new(1, &[]);
    let error = Endpoint::bind(
        node.addr(),
        &key(2),
        node.directory.clone(),
        Limits::default(),
    )
    .unwrap_err();
    assert!(
        matches!(error, BindError::AddressInUse { addr } if addr == node.addr()),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        format!("{} is already in use", node.addr())
    );
}

#[tokio::test]
async fn an_address_of_another_host_is_told_so() {
    let node = Node::new(1, &[]);
    // TEST-NET-1 (RFC 5737) belongs to no host.
    let addr = "192.0.2.1:0".parse().unwrap();
    let error =
        Endpoint::bind(addr, &key(2), node.directory.clone(), Limits::default()).unwrap_err();
    assert!(
        matches!(error, BindError::AddressUnavailable { .. }),
        "{error:?}"
    );
}

#[test]
fn binding_without_a_runtime_is_an_error_and_no_panic() {
    let directory = std::sync::Arc::new(crate::world::Directory::default());
    let error = Endpoint::bind(loopback(), &key(1), directory, Limits::default()).unwrap_err();
    assert!(matches!(error, BindError::NoRuntime));
}

#[tokio::test]
async fn an_address_of_another_family_cannot_be_reached() {
    let node = Node::new(1, &[]);
    let remote = "[::1]:9".parse().unwrap();
    let error = node.reach(remote, 2).await.unwrap_err();
    assert_eq!(error, ConnectError::Address { remote });
}
