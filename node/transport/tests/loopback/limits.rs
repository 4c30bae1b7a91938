//! What a peer can make a node hold.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mandorla_transport::{ConnectError, Connection, Limits, RefusalReason};

use crate::crafted::{self, Crafted};
use crate::world::{Node, connect, loopback};

/// What a future says when asked once.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A connection that a crafted peer has opened to `node` and greeted on.
async fn crafted_connection(node: &Node) -> (quinn::Endpoint, quinn::Connection, Connection) {
    let (endpoint, connection) = crafted::attempt(Crafted::new(1).client(), node.addr())
        .await
        .unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(crafted::GREETING).await.unwrap();
    send.finish().unwrap();
    assert_eq!(recv.read_to_end(100).await.unwrap(), crafted::REPLY);
    let accepted = node.endpoint.accept().await.unwrap();
    (endpoint, connection, accepted)
}

#[tokio::test]
async fn a_peer_can_send_no_more_than_the_receive_windows_unread() {
    let limits = Limits {
        stream_receive_window_bytes: 1_000,
        receive_window_bytes: 1_500,
        ..Limits::default()
    };
    let node = Node::with_limits(2, &[1], limits);
    let (_endpoint, connection, _accepted) = crafted_connection(&node).await;
    let data = vec![0; 100_000];
    let mut first = connection.open_uni().await.unwrap();
    assert_eq!(first.write(&data).await.unwrap(), 1_000);
    assert!(
        poll_once(first.write(&data)).is_pending(),
        "the stream's window is full"
    );
    let mut second = connection.open_uni().await.unwrap();
    let rest = second.write(&data).await.unwrap();
    // The 16 bytes of the greeting were read and may or may not have been credited back yet.
    assert!(
        (484..=500).contains(&rest),
        "{rest} bytes left of the connection's window"
    );
    assert!(
        poll_once(second.write(&data)).is_pending(),
        "the connection's window is full"
    );
}

#[tokio::test]
async fn a_peer_can_open_no_more_than_the_allowed_streams() {
    let limits = Limits {
        uni_streams_max: 2,
        bi_streams_max: 2,
        ..Limits::default()
    };
    let node = Node::with_limits(2, &[1], limits);
    let (_endpoint, connection, _accepted) = crafted_connection(&node).await;
    let _uni = (
        connection.open_uni().await.unwrap(),
        connection.open_uni().await.unwrap(),
    );
    assert!(poll_once(connection.open_uni()).is_pending());
    // The greeting's stream is over and makes room for one more.
    let _bi = (
        connection.open_bi().await.unwrap(),
        connection.open_bi().await.unwrap(),
    );
    assert!(poll_once(connection.open_bi()).is_pending());
}

#[tokio::test]
async fn a_peer_can_send_no_datagrams() {
    let node = Node::new(2, &[1]);
    let (_endpoint, connection, _accepted) = crafted_connection(&node).await;
    assert_eq!(connection.max_datagram_size(), None);
}

#[tokio::test]
async fn an_accepted_connection_does_not_move_to_another_address() {
    let limits = Limits {
        idle_timeout: Duration::from_millis(600),
        keep_alive: Duration::from_millis(200),
        ..Limits::default()
    };
    let node = Node::with_limits(2, &[1], limits);
    let (endpoint, connection, accepted) = crafted_connection(&node).await;
    let before = accepted.remote_address();
    endpoint
        .rebind(std::net::UdpSocket::bind(loopback()).unwrap())
        .unwrap();
    let mut send = connection.open_uni().await.unwrap();
    send.write_all(b"from elsewhere").await.unwrap();
    tokio::select! {
        stream = accepted.accept_uni() => assert!(stream.is_err(), "a stream arrived from elsewhere"),
        _ = accepted.closed() => {}
    }
    assert_eq!(accepted.remote_address(), before);
}

#[tokio::test]
async fn handshakes_from_one_address_are_bounded() {
    let limits = Limits {
        handshakes_per_address_max: 2,
        ..Limits::default()
    };
    let mut node = Node::with_limits(2, &[1], limits);
    // Authenticated and silent: each holds its place until the greeting's time-out.
    let _first = crafted::attempt(Crafted::new(1).client(), node.addr())
        .await
        .unwrap();
    let _second = crafted::attempt(Crafted::new(1).client(), node.addr())
        .await
        .unwrap();
    let a = Node::new(1, &[2]);
    let error = a
        .endpoint
        .connect(node.addr(), &node.key)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        ConnectError::Busy {
            remote: node.addr()
        }
    );
    node.refuses(RefusalReason::AddressFull).await;
}

#[tokio::test]
async fn handshakes_are_bounded_and_their_places_come_back() {
    let limits = Limits {
        handshakes_max: 1,
        ..Limits::default()
    };
    let mut node = Node::with_limits(2, &[1], limits);
    let (_endpoint, first) = crafted::attempt(Crafted::new(1).client(), node.addr())
        .await
        .unwrap();
    let a = Node::new(1, &[2]);
    let error = a
        .endpoint
        .connect(node.addr(), &node.key)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        ConnectError::Busy {
            remote: node.addr()
        }
    );
    node.refuses(RefusalReason::HandshakesFull).await;

    first.close(0u32.into(), b"");
    // Seen as refused: the peer went away. Its place is free one step of the same task later.
    assert!(matches!(
        node.refusal().await.reason,
        RefusalReason::Gone(_)
    ));
    until_connected(&a, &node).await;
}

#[tokio::test]
async fn a_flood_of_handshakes_is_bounded_and_a_peer_gets_through_after_it() {
    let limits = Limits {
        handshakes_max: 4,
        handshakes_per_address_max: 4,
        greeting_timeout: Duration::from_millis(500),
        ..Limits::default()
    };
    let node = Node::with_limits(2, &[1], limits);
    let flood = crafted::endpoint();
    let attempts: Vec<_> = (0..40)
        .map(|_| {
            flood
                .connect_with(Crafted::new(9).client(), node.addr(), "any.invalid")
                .unwrap()
        })
        .collect();
    for attempt in attempts {
        if let Ok(connection) = attempt.await {
            connection.closed().await;
        }
    }
    let full = node.tally.refused_count(RefusalReason::AddressFull);
    let unknown = node.tally.refused_count(RefusalReason::UnknownPeer);
    assert_eq!(
        full + unknown,
        40,
        "{full} without a place, {unknown} by their key"
    );
    assert!(full > 0);
    assert_eq!(node.tally.accepted_count(), 0);
    let a = Node::new(1, &[2]);
    connect(&a, &node).await;
}

#[tokio::test]
async fn connections_of_one_peer_are_bounded_and_their_places_come_back() {
    let limits = Limits {
        connections_per_peer_max: 1,
        ..Limits::default()
    };
    let mut node = Node::with_limits(2, &[1, 3], limits);
    let a = Node::new(1, &[2]);
    let (at_a, _at_node) = connect(&a, &node).await;
    let error = a
        .endpoint
        .connect(node.addr(), &node.key)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        ConnectError::Busy {
            remote: node.addr()
        }
    );
    assert_eq!(node.refusal().await.reason, RefusalReason::PeerFull);

    let other = Node::new(3, &[2]);
    connect(&other, &node).await;

    // The handle on the node's side is still held: the place comes back because the connection ended.
    at_a.close(mandorla_transport::CloseCode::DONE, "");
    until_connected(&a, &node).await;
}

#[tokio::test]
async fn connections_that_nobody_takes_are_bounded() {
    let limits = Limits {
        accept_queue_max: 1,
        ..Limits::default()
    };
    let mut node = Node::with_limits(2, &[1], limits);
    let a = Node::new(1, &[2]);
    let _waiting = a.endpoint.connect(node.addr(), &node.key).await.unwrap();
    let error = a
        .endpoint
        .connect(node.addr(), &node.key)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        ConnectError::Busy {
            remote: node.addr()
        }
    );
    assert_eq!(node.refusal().await.reason, RefusalReason::QueueFull);
}

#[tokio::test]
async fn a_connection_that_ended_while_it_waited_is_not_accepted() {
    let node = Node::new(2, &[1, 3]);
    let gone = Node::new(3, &[2]);
    gone.endpoint.connect(node.addr(), &node.key).await.unwrap();
    gone.endpoint.close();
    gone.endpoint.drained().await;
    let a = Node::new(1, &[2]);
    let (_at_a, at_node) = connect(&a, &node).await;
    assert_eq!(at_node.peer(), a.key);
}

#[tokio::test]
async fn a_slow_stranger_does_not_hold_up_a_peer() {
    let node = Node::new(2, &[1, 3]);
    let _silent = crafted::attempt(Crafted::new(3).client(), node.addr())
        .await
        .unwrap();
    let a = Node::new(1, &[2]);
    let (_at_a, at_node) = connect(&a, &node).await;
    assert_eq!(at_node.peer(), a.key);
}

/// Connects as soon as the node has a place, within a bounded number of attempts.
async fn until_connected(from: &Node, to: &Node) -> Connection {
    for _ in 0..100 {
        match from.endpoint.connect(to.addr(), &to.key).await {
            Ok(connection) => return connection,
            Err(error) => assert_eq!(error, ConnectError::Busy { remote: to.addr() }),
        }
    }
    panic!("the place never came back");
}
