//! Who may connect, and what each side is told when it may not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mandorla_transport::{
    Admission, ConnectError, Endpoint, Limits, PeerDirectory, PeerKey, RefusalReason, Tally,
};

use crate::crafted::{self, Crafted};
use crate::world::{Log, Node, connect, key, loopback, public};

#[tokio::test]
async fn a_node_with_another_key_than_the_pinned_one_is_not_connected_to() {
    let a = Node::new(1, &[2]);
    let mut b = Node::new(2, &[1]);
    let error = a.reach(b.addr(), 3).await.unwrap_err();
    let expected = ConnectError::WrongKey {
        remote: b.addr(),
        expected: public(3),
        presented: b.key,
    };
    assert_eq!(error, expected);
    b.refuses(RefusalReason::RefusedByPeer).await;
}

#[tokio::test]
async fn an_unknown_node_is_refused_and_told_so() {
    let log = Log::capture();
    let stranger = Node::new(9, &[2]);
    let mut b = Node::new(2, &[1]);
    let error = stranger
        .endpoint
        .connect(b.addr(), &b.key)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        ConnectError::Refused {
            remote: b.addr(),
            ours: stranger.key
        }
    );

    let refusal = b.refuses(RefusalReason::UnknownPeer).await;
    assert_eq!(refusal.peer, Some(stranger.key));
    assert_eq!(refusal.remote, stranger.addr());
    let log = log.line_about(stranger.addr());
    for part in [
        "mandorla::transport",
        "unknown key",
        &stranger.key.to_string(),
    ] {
        assert!(log.contains(part), "{part} missing from {log}");
    }
}

#[tokio::test]
async fn nothing_of_a_refused_node_reaches_accept() {
    let stranger = Node::new(9, &[2]);
    let b = Node::new(2, &[1]);
    stranger
        .endpoint
        .connect(b.addr(), &b.key)
        .await
        .unwrap_err();
    let friend = Node::new(1, &[2]);
    let (_at_friend, at_b) = connect(&friend, &b).await;
    assert_eq!(at_b.peer(), friend.key);
}

#[tokio::test]
async fn an_unknown_client_finishes_its_own_handshake_and_gets_no_stream() {
    // Why a connection only stands after the greeting: TLS 1.3 lets the client finish first.
    let mut b = Node::new(2, &[1]);
    let (_endpoint, connection) = crafted::attempt(Crafted::new(9).client(), b.addr())
        .await
        .unwrap();
    let reply = async {
        let (mut send, mut recv) = connection.open_bi().await.ok()?;
        send.write_all(crafted::GREETING).await.ok()?;
        send.finish().ok()?;
        recv.read_to_end(100).await.ok()
    };
    assert_eq!(reply.await, None);
    // Refused by TLS itself (alert access_denied), not by something that came after it.
    match connection.closed().await {
        quinn::ConnectionError::ConnectionClosed(close) => {
            assert_eq!(u64::from(close.error_code), 0x100 + 49);
        }
        other => panic!("{other:?}"),
    }
    b.refuses(RefusalReason::UnknownPeer).await;
}

#[tokio::test]
async fn a_known_key_without_its_secret_is_refused() {
    let mut b = Node::new(2, &[1]);
    let impostor = Crafted {
        signer: crafted::signer(9),
        ..Crafted::new(1)
    };
    let (_endpoint, connection) = crafted::attempt(impostor.client(), b.addr()).await.unwrap();
    let refusal = b.refuses(RefusalReason::NoProof).await;
    assert_eq!(refusal.peer, Some(public(1)));
    connection.closed().await;
}

#[tokio::test]
async fn a_stranger_cannot_find_out_whom_a_node_knows() {
    let mut b = Node::new(2, &[1]);
    let mut answers = Vec::new();
    for claimed in [1, 8] {
        let prober = Crafted {
            signer: crafted::signer(9),
            ..Crafted::new(claimed)
        };
        let (_endpoint, connection) = crafted::attempt(prober.client(), b.addr()).await.unwrap();
        answers.push(connection.closed().await);
        b.refuses(RefusalReason::NoProof).await;
    }
    assert!(
        matches!(answers[0], quinn::ConnectionError::ConnectionClosed(_)),
        "{answers:?}"
    );
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn the_pinned_key_without_its_secret_is_not_connected_to() {
    let server = Crafted {
        signer: crafted::signer(9),
        ..Crafted::new(2)
    }
    .server();
    let remote = server.local_addr().unwrap();
    let accepting = async { server.accept().await.unwrap().accept().unwrap().await };
    let a = Node::new(1, &[2]);
    let (connected, accepted) = tokio::join!(a.reach(remote, 2), accepting);
    assert_eq!(
        connected.unwrap_err(),
        ConnectError::NoProof {
            remote,
            expected: public(2)
        }
    );
    assert!(accepted.is_err());
}

#[tokio::test]
async fn an_x509_certificate_of_a_known_key_is_refused() {
    let mut b = Node::new(2, &[1]);
    assert!(
        crafted::attempt(Crafted::x509(1).client(), b.addr())
            .await
            .is_err()
    );
    b.refuses(RefusalReason::CertificateType).await;
}

#[tokio::test]
async fn an_x509_certificate_sent_as_a_raw_key_is_refused() {
    let mut b = Node::new(2, &[1]);
    let disguised = Crafted {
        raw: true,
        ..Crafted::x509(1)
    };
    let (_endpoint, connection) = crafted::attempt(disguised.client(), b.addr())
        .await
        .unwrap();
    b.refuses(RefusalReason::NotAKey).await;
    connection.closed().await;
}

#[tokio::test]
async fn a_known_key_followed_by_a_chain_is_refused() {
    let mut b = Node::new(2, &[1]);
    let chain = Some(vec![crafted::spki(1), crafted::certificate(1)]);
    let chained = Crafted {
        chain,
        ..Crafted::new(1)
    };
    let (_endpoint, connection) = crafted::attempt(chained.client(), b.addr()).await.unwrap();
    b.refuses(RefusalReason::NotAKey).await;
    connection.closed().await;
}

#[tokio::test]
async fn a_client_without_a_key_is_refused() {
    let mut b = Node::new(2, &[1]);
    let anonymous = Crafted {
        chain: None,
        ..Crafted::new(1)
    };
    let (_endpoint, connection) = crafted::attempt(anonymous.client(), b.addr())
        .await
        .unwrap();
    b.refuses(RefusalReason::NotAKey).await;
    connection.closed().await;
}

#[tokio::test]
async fn a_server_with_an_x509_certificate_is_not_connected_to() {
    let server = Crafted::x509(2).server();
    let remote = server.local_addr().unwrap();
    let accepting = async { server.accept().await.unwrap().accept().unwrap().await };
    let a = Node::new(1, &[2]);
    let (connected, accepted) = tokio::join!(a.reach(remote, 2), accepting);
    assert_eq!(
        connected.unwrap_err(),
        ConnectError::KeyExchangeMismatch { remote }
    );
    assert!(accepted.is_err());
}

#[tokio::test]
async fn a_quiet_peer_is_told_so_and_no_stream_of_it_is_looked_at() {
    let log = Log::capture();
    let a = Node::new(1, &[2]);
    let mut b = Node::new(2, &[]);
    b.directory.set(1, Admission::Quiet);
    let error = a.endpoint.connect(b.addr(), &b.key).await.unwrap_err();
    assert_eq!(error, ConnectError::Quiet { remote: b.addr() });
    let refusal = b.refuses(RefusalReason::Quiet).await;
    assert_eq!(refusal.peer, Some(a.key));
    assert!(log.line_about(a.addr()).contains("peer to come back later"));

    b.directory.set(1, Admission::Known);
    let (_at_a, at_b) = connect(&a, &b).await;
    assert_eq!(at_b.peer(), a.key);
}

#[tokio::test]
async fn a_peer_suspended_during_its_handshake_is_refused() {
    /// Known to the verifier, unknown when asked again.
    #[derive(Default)]
    struct Once(AtomicBool);

    impl PeerDirectory for Once {
        fn admit(&self, _key: &PeerKey) -> Admission {
            if self.0.swap(true, Ordering::SeqCst) {
                Admission::Unknown
            } else {
                Admission::Known
            }
        }
    }

    let tally = Arc::new(Tally::default());
    let b = Endpoint::bind_observed(
        loopback(),
        &key(2),
        Arc::new(Once::default()),
        Limits::default(),
        tally.clone(),
    )
    .unwrap();
    let a = Node::new(1, &[2]);
    let error = a.reach(b.local_addr(), 2).await.unwrap_err();
    assert_eq!(
        error,
        ConnectError::Refused {
            remote: b.local_addr(),
            ours: a.key
        }
    );
    assert_eq!(tally.refused_count(RefusalReason::UnknownPeer), 1);
    assert_eq!(tally.accepted_count(), 0);
}
