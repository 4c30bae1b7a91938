//! Cards, words, pings.

use mandorla_control::{
    ErrorCode, PeerAdd, PeerExport, PeerList, PeerPing, PeerRemove, PeerShow, PeerVerify,
};

use crate::world::{NOON_S, Running, code, pair};

fn ping(peer: &str) -> PeerPing {
    PeerPing { peer: peer.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_operators_read_the_same_words_and_each_node_answers_the_other() {
    let (uk, rs) = pair().await;
    let words = |peer: &str| PeerVerify {
        peer: peer.into(),
        confirmed: false,
    };
    let at_uk = uk.call(&words("RS")).await;
    let at_rs = rs.call(&words("UK")).await;
    assert_eq!(at_uk.words, at_rs.words);
    assert!(at_uk.verified && at_rs.verified);

    let pong = uk.call(&ping("RS")).await;
    assert_eq!((pong.peer.as_str(), pong.clock_offset_s), ("RS", 0));
    assert_eq!(rs.call(&ping("UK")).await.peer, "UK");
    let seen = uk.call(&PeerShow { peer: "RS".into() }).await;
    assert_eq!(seen.last_seen, Some(NOON_S));
    let card = rs.call(&PeerExport {}).await;
    assert_eq!(seen.fingerprint, card.fingerprint);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_not_added_is_not_admitted_and_one_that_was_removed_no_longer() {
    let (uk, rs) = (
        Running::start("UK", "GB").await,
        Running::start("RS", "RS").await,
    );
    let card = rs.call(&PeerExport {}).await.card;
    uk.call(&PeerAdd { card }).await;
    let refused = uk.refusal(&ping("RS")).await;
    assert_eq!(code(&refused), ErrorCode::PeerRefused);
    assert!(refused.hint.unwrap().contains("peer export"));

    let card = uk.call(&PeerExport {}).await.card;
    rs.call(&PeerAdd { card }).await;
    uk.call(&ping("RS")).await;
    rs.call(&PeerRemove { peer: "UK".into() }).await;
    assert_eq!(code(&uk.refusal(&ping("RS")).await), ErrorCode::PeerRefused);
    assert!(rs.call(&PeerList {}).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_behind_the_address_is_found_out() {
    let (uk, rs) = (
        Running::start("UK", "GB").await,
        Running::start("RS", "RS").await,
    );
    let third = Running::start("HR", "HR").await;
    let line = |card: &str, name: &str| {
        let is_it = |line: &&str| line.starts_with(name);
        card.lines().find(is_it).unwrap().to_owned()
    };
    let card = rs.call(&PeerExport {}).await.card;
    let other = third.call(&PeerExport {}).await.card;
    let swapped = card.replace(&line(&card, "address"), &line(&other, "address"));
    uk.call(&PeerAdd { card: swapped }).await;
    assert_eq!(code(&uk.refusal(&ping("RS")).await), ErrorCode::PeerKey);

    // The peer's new card has the same keys and the right address: the peer has moved.
    let words = PeerVerify {
        peer: "RS".into(),
        confirmed: true,
    };
    uk.call(&words).await;
    let moved = uk.call(&PeerAdd { card: card.clone() }).await;
    assert!(
        moved.verified,
        "the words speak of keys, and these are the same"
    );
    let key = line(&other, "signing_key");
    let other_keys = card.replace(&line(&card, "signing_key"), &key);
    assert_eq!(
        code(&uk.refusal(&PeerAdd { card: other_keys }).await),
        ErrorCode::Exists
    );
    let renamed = card.replace("\"RS\"", "\"ME\"");
    assert_eq!(
        code(&uk.refusal(&PeerAdd { card: renamed }).await),
        ErrorCode::Exists
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_too_far_apart_are_named_as_the_fault() {
    let (uk, rs) = pair().await;
    rs.set_time(NOON_S + 299);
    assert_eq!(uk.call(&ping("RS")).await.clock_offset_s, 299);
    rs.set_time(NOON_S - 301);
    let refused = uk.refusal(&ping("RS")).await;
    assert_eq!(code(&refused), ErrorCode::PeerClock);
    assert!(refused.message.contains("-301 s"), "{}", refused.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_card_of_a_peer_is_refused() {
    let uk = Running::start("UK", "GB").await;
    let own = uk.call(&PeerExport {}).await.card;
    assert_eq!(
        code(&uk.refusal(&PeerAdd { card: own }).await),
        ErrorCode::BadFile
    );
    let card = "schema = 1".to_owned();
    assert_eq!(
        code(&uk.refusal(&PeerAdd { card }).await),
        ErrorCode::BadFile
    );
    assert_eq!(code(&uk.refusal(&ping("RS")).await), ErrorCode::NotFound);
}
