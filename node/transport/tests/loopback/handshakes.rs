//! Key exchange, protocol, early data and greeting: what a peer must speak.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mandorla_transport::{ConnectError, GREETING_VERSION, Limits, RefusalReason, Stage};
use rustls::crypto::aws_lc_rs::kx_group;

use crate::crafted::{self, Crafted};
use crate::world::{Log, Node, connect, public};

#[tokio::test]
async fn a_crafted_peer_that_differs_in_nothing_is_accepted() {
    // The control for every test here in which one thing differs.
    let b = Node::new(2, &[1]);
    let (_endpoint, connection) = crafted::attempt(Crafted::new(1).client(), b.addr())
        .await
        .unwrap();
    assert_eq!(
        greet(&connection, crafted::GREETING).await.unwrap(),
        crafted::REPLY
    );
    assert_eq!(b.endpoint.accept().await.unwrap().peer(), public(1));

    let a = Node::new(1, &[2]);
    let server = Crafted::new(2).server();
    let (connected, _accepted) = tokio::join!(
        a.reach(server.local_addr().unwrap(), 2),
        reply(&server, crafted::REPLY)
    );
    assert_eq!(connected.unwrap().peer(), public(2));
}

#[tokio::test]
async fn a_classical_only_client_is_refused() {
    let log = Log::capture();
    let mut b = Node::new(2, &[1]);
    for group in [kx_group::X25519, kx_group::SECP256R1, kx_group::MLKEM768] {
        let client = Crafted {
            groups: vec![group],
            ..Crafted::new(1)
        };
        assert!(crafted::attempt(client.client(), b.addr()).await.is_err());
        let refusal = b.refuses(RefusalReason::KeyExchange).await;
        assert!(
            log.line_about(refusal.remote)
                .contains("no X25519MLKEM768 in the offer")
        );
    }
}

#[tokio::test]
async fn a_client_that_prefers_classical_is_brought_to_the_hybrid_group() {
    let b = Node::new(2, &[1]);
    let client = Crafted {
        groups: vec![kx_group::X25519, kx_group::X25519MLKEM768],
        ..Crafted::new(1)
    };
    let (_endpoint, connection) = crafted::attempt(client.client(), b.addr()).await.unwrap();
    assert_eq!(
        greet(&connection, crafted::GREETING).await.unwrap(),
        crafted::REPLY
    );
}

#[tokio::test]
async fn a_classical_only_server_is_not_connected_to() {
    let server = Crafted {
        groups: vec![kx_group::X25519],
        ..Crafted::new(2)
    }
    .server();
    let remote = server.local_addr().unwrap();
    let a = Node::new(1, &[2]);
    let (connected, accepted) = tokio::join!(a.reach(remote, 2), reply(&server, crafted::REPLY));
    assert_eq!(
        connected.unwrap_err(),
        ConnectError::KeyExchangeMismatch { remote }
    );
    assert!(accepted.is_none());
}

#[tokio::test]
async fn a_client_of_another_or_no_application_protocol_is_refused() {
    let mut b = Node::new(2, &[1]);
    for alpn in [vec![b"mandorla/2".to_vec()], vec![b"h3".to_vec()], vec![]] {
        let client = Crafted {
            alpn,
            ..Crafted::new(1)
        };
        assert!(crafted::attempt(client.client(), b.addr()).await.is_err());
        b.refuses(RefusalReason::ApplicationProtocol).await;
    }
}

#[tokio::test]
async fn a_server_of_another_or_no_application_protocol_is_not_connected_to() {
    let a = Node::new(1, &[2]);
    for alpn in [vec![b"mandorla/2".to_vec()], vec![b"h3".to_vec()], vec![]] {
        let server = Crafted {
            alpn,
            ..Crafted::new(2)
        }
        .server();
        let remote = server.local_addr().unwrap();
        let (connected, accepted) =
            tokio::join!(a.reach(remote, 2), reply(&server, crafted::REPLY));
        let expected = ConnectError::ProtocolMismatch {
            remote,
            ours: GREETING_VERSION,
            theirs: None,
        };
        assert_eq!(connected.unwrap_err(), expected);
        assert!(accepted.is_none());
    }
}

#[tokio::test]
async fn a_client_of_a_draft_version_of_quic_is_turned_away() {
    let b = Node::new(2, &[1]);
    let mut client = Crafted::new(1).client();
    client.version(0xff00_001d);
    let error = crafted::attempt(client, b.addr()).await.unwrap_err();
    assert!(
        matches!(error, quinn::ConnectionError::VersionMismatch),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_client_that_wants_early_data_gets_no_ticket_for_it() {
    let b = Node::new(2, &[1]);
    let client = Crafted {
        early: true,
        ..Crafted::new(1)
    }
    .client();
    let endpoint = crafted::endpoint();
    for _ in 0..3 {
        let connecting = endpoint
            .connect_with(client.clone(), b.addr(), "any.invalid")
            .unwrap();
        let connection = match connecting.into_0rtt() {
            Ok(_) => panic!("the node handed out a ticket"),
            Err(connecting) => connecting.await.unwrap(),
        };
        assert_eq!(
            greet(&connection, crafted::GREETING).await.unwrap(),
            crafted::REPLY
        );
        b.endpoint.accept().await.unwrap();
    }
}

#[tokio::test]
async fn the_client_of_the_early_data_test_would_use_a_ticket() {
    // Control: the same client against a server that hands out tickets and takes early data.
    let (server, keys_seen) = ticket_server();
    let addr = server.local_addr().unwrap();
    let client = Crafted {
        early: true,
        ..Crafted::new(1)
    }
    .client();
    let endpoint = crafted::endpoint();
    let connecting = endpoint
        .connect_with(client.clone(), addr, "any.invalid")
        .unwrap();
    let greeting = async {
        let connection = connecting.await.unwrap();
        greet(&connection, crafted::GREETING).await.unwrap()
    };
    let (_reply, _accepted) = tokio::join!(greeting, reply(&server, crafted::REPLY));
    let again = endpoint.connect_with(client, addr, "any.invalid").unwrap();
    let Ok((connection, _)) = again.into_0rtt() else {
        panic!("no ticket was kept")
    };
    let (greeted, _accepted) = tokio::join!(
        greet(&connection, crafted::GREETING),
        reply(&server, crafted::REPLY)
    );
    assert_eq!(greeted.unwrap(), crafted::REPLY);
    assert_eq!(
        keys_seen.load(Ordering::SeqCst),
        1,
        "the second session was not a resumed one"
    );
}

#[tokio::test]
async fn a_node_resumes_no_session_even_with_a_server_that_would() {
    let (server, keys_seen) = ticket_server();
    let remote = server.local_addr().unwrap();
    let a = Node::new(1, &[2]);
    for handshakes in 1..=3 {
        let (connected, _accepted) =
            tokio::join!(a.reach(remote, 2), reply(&server, crafted::REPLY));
        connected.unwrap();
        assert_eq!(keys_seen.load(Ordering::SeqCst), handshakes);
    }
}

/// A server that hands out tickets, and its count of full handshakes.
fn ticket_server() -> (quinn::Endpoint, Arc<AtomicUsize>) {
    let crafted = Crafted {
        early: true,
        ..Crafted::new(2)
    };
    let keys_seen = Arc::clone(&crafted.keys_seen);
    (crafted.server(), keys_seen)
}

#[tokio::test]
async fn an_address_is_proven_before_anything_else() {
    let a = Node::new(1, &[2]);
    let b = Node::new(2, &[1]);
    connect(&a, &b).await;
    assert_eq!((b.tally.retried_count(), b.tally.accepted_count()), (1, 1));
    // No token outlives its connection: the second one has to prove the address again.
    connect(&a, &b).await;
    assert_eq!((b.tally.retried_count(), b.tally.accepted_count()), (2, 2));
}

#[tokio::test]
async fn anything_but_the_greeting_is_refused() {
    let mut b = Node::new(2, &[1]);
    let wrong: [&[u8]; 5] = [
        b"",
        b"mandorla",
        b"GET / HTTP/1.1\r\n",
        crafted::REPLY,
        b"mandorla\x01\x00\x01\x00\x00\x00\x00\x00!",
    ];
    for greeting in wrong {
        let (_endpoint, connection) = crafted::attempt(Crafted::new(1).client(), b.addr())
            .await
            .unwrap();
        assert_eq!(greet(&connection, greeting).await, None);
        b.refuses(RefusalReason::Greeting).await;
    }
}

#[tokio::test]
async fn a_greeting_of_another_version_is_refused_by_its_number() {
    let mut b = Node::new(2, &[1]);
    let (_endpoint, connection) = crafted::attempt(Crafted::new(1).client(), b.addr())
        .await
        .unwrap();
    assert_eq!(
        greet(&connection, b"mandorla\x02\x00\x01\x00\x00\x00\x00\x00").await,
        None
    );
    b.refuses(RefusalReason::GreetingVersion { theirs: 2 })
        .await;
}

#[tokio::test]
async fn a_server_that_greets_otherwise_is_not_connected_to() {
    let a = Node::new(1, &[2]);
    let server = Crafted::new(2).server();
    let remote = server.local_addr().unwrap();
    let cases: [(&[u8], Option<u16>); 3] = [
        (b"mandorla\x02\x00\x02\x00\x00\x00\x00\x00", Some(2)),
        (b"HTTP/1.1 400 Bad", None),
        (crafted::GREETING, None),
    ];
    for (words, theirs) in cases {
        let (connected, _accepted) = tokio::join!(a.reach(remote, 2), reply(&server, words));
        let expected = ConnectError::ProtocolMismatch {
            remote,
            ours: GREETING_VERSION,
            theirs,
        };
        assert_eq!(connected.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn a_client_that_never_greets_is_refused_in_time() {
    let mut b = Node::with_limits(2, &[1], quick());
    let (_endpoint, connection) = crafted::attempt(Crafted::new(1).client(), b.addr())
        .await
        .unwrap();
    b.refuses(RefusalReason::GreetingTimeout).await;
    connection.closed().await;
}

#[tokio::test]
async fn a_server_that_never_greets_is_given_up_in_time() {
    let a = Node::with_limits(1, &[2], quick());
    let server = Crafted::new(2).server();
    let remote = server.local_addr().unwrap();
    let accepting = async {
        server
            .accept()
            .await
            .unwrap()
            .accept()
            .unwrap()
            .await
            .unwrap()
    };
    let (connected, _silent) = tokio::join!(a.reach(remote, 2), accepting);
    let waited = quick().greeting_timeout;
    let expected = ConnectError::TimedOut {
        remote,
        stage: Stage::Greeting,
        waited,
    };
    assert_eq!(connected.unwrap_err(), expected);
}

#[tokio::test]
async fn a_silent_address_is_given_up_in_time() {
    let a = Node::with_limits(1, &[2], quick());
    let silent = std::net::UdpSocket::bind(crate::world::loopback()).unwrap();
    let remote = silent.local_addr().unwrap();
    let error = a.reach(remote, 2).await.unwrap_err();
    let waited = quick().handshake_timeout;
    assert_eq!(
        error,
        ConnectError::TimedOut {
            remote,
            stage: Stage::Handshake,
            waited
        }
    );
}

/// Time-outs that a test can wait for; long enough for a handshake on a busy machine.
fn quick() -> Limits {
    let wait = Duration::from_secs(1);
    Limits {
        handshake_timeout: wait,
        greeting_timeout: wait,
        ..Limits::default()
    }
}

/// Sends a greeting and reads what comes back; `None` if the connection ends instead.
async fn greet(connection: &quinn::Connection, greeting: &[u8]) -> Option<Vec<u8>> {
    let (mut send, mut recv) = connection.open_bi().await.ok()?;
    send.write_all(greeting).await.ok()?;
    send.finish().ok()?;
    recv.read_to_end(100).await.ok()
}

/// Takes one connection and answers its greeting with `words`; `None` if it never stands.
async fn reply(server: &quinn::Endpoint, words: &[u8]) -> Option<quinn::Connection> {
    let connection = server.accept().await?.accept().ok()?.await.ok()?;
    let (mut send, mut recv) = connection.accept_bi().await.ok()?;
    assert_eq!(recv.read_to_end(100).await.ok()?, crafted::GREETING);
    send.write_all(words).await.ok()?;
    send.finish().ok()?;
    Some(connection)
}
