//! Two nodes whose keys change: while rounds are open, while one is away, and when trust ends.

use mandorla_control::{
    AgreementShow, ErrorCode, KeyList, KeyRevoke, KeyRotate, PeerAdd, PeerExport, PeerPing,
    PeerRevoke, PeerShow, ReviewApprove, RoundShow,
};
use mandorla_protocol::{NodeKey, SignedSuccession, decode, encode};
use mandorla_transport::PeerKey;

use crate::agreements::check_parties;
use crate::identity::KeyState;
use crate::keys::erase_due;
use crate::peers;
use crate::records::key::SUCCESSIONS;
use crate::records::round::ROUNDS;
use crate::rounds::pair_audit;
use crate::test_node::node;
use crate::test_pair::{ID, Side, ask, become_peers, evaluated, reaches};

const WEEK_S: u64 = 7 * 86_400;

fn rotate() -> KeyRotate {
    KeyRotate {
        overlap_s: WEEK_S,
        without: Vec::new(),
    }
}

fn ping(peer: &str) -> PeerPing {
    PeerPing { peer: peer.into() }
}

async fn two() -> (Side, Side) {
    (
        Side::start("UK", "GB", |_| {}).await,
        Side::start("RS", "RS", |_| {}).await,
    )
}

async fn approve(side: &Side, round: &str) {
    let approve = ReviewApprove {
        round: round.to_owned(),
        reason: "proportionate".into(),
    };
    side.client(Some("petra")).call(&approve).await.unwrap();
}

fn signed_of(side: &Side, sequence: u64) -> SignedSuccession {
    let tx = side.node.store.read().unwrap();
    let record = tx.find(SUCCESSIONS, sequence).unwrap().unwrap();
    decode(&hex::decode(record.signed).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_ends_under_the_keys_of_its_terms_and_the_next_begins_under_the_new_ones() {
    let (uk, rs) = two().await;
    let first = evaluated(&uk, &rs).await;
    let old = [&uk, &rs].map(|side| side.node.identity.node_key());

    let keys = rs.call(&rotate()).await;
    assert!(keys.restart_needed);
    assert_eq!(keys.keys[1].countersigned_by, ["UK"]);
    // Until the restart the old keys answer, although the peer expects the new ones first.
    uk.call(&ping("RS")).await;
    rs.call(&ping("UK")).await;
    let rs = rs.restarted().await;
    uk.call(&ping("RS")).await;
    rs.call(&ping("UK")).await;
    assert!(uk.call(&rotate()).await.restart_needed);
    let uk = uk.restarted().await;
    uk.call(&ping("RS")).await;
    let new = [&uk, &rs].map(|side| side.node.identity.node_key());
    assert!(old.iter().all(|key| !new.contains(key)));

    // A new round under the unchanged agreement; then the old one goes on.
    let second = ask(&uk).await;
    let terms = |side: &Side, id: &str| {
        let record = side.node.store.read().unwrap().find(ROUNDS, id).unwrap();
        record.unwrap().terms().unwrap()
    };
    let of_second = terms(&uk, &second);
    assert_eq!(
        [of_second.offer().requester, of_second.offer().responder],
        new
    );
    let of_first = terms(&uk, "R-20261124-001");
    assert_eq!(of_first.round_id(), first.terms().unwrap().round_id());
    assert_eq!(
        [of_first.offer().requester, of_first.offer().responder],
        old
    );
    approve(&uk, "R-20261124-001").await;
    reaches(&uk, "R-20261124-001", "awaiting-answers").await;
    reaches(&rs, &first.id, "matched").await;

    // Both pair logs verify, over the change; old keys stay while a round names them.
    for side in [&uk, &rs] {
        let (logs, faults) = pair_audit::audit(&side.node).unwrap();
        assert_eq!(faults, Vec::<String>::new());
        assert!(logs.iter().any(|log| log.countersigned && log.facts > 0));
        side.node.store.verify_ledger(&[]).unwrap();
        side.advance(WEEK_S + 1);
        assert_eq!(erase_due(&side.node).unwrap(), Vec::<u32>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_away_is_waited_for_and_afterwards_the_old_keys_are_erased() {
    let (uk, rs) = two().await;
    become_peers(&uk, &rs).await;
    let old = uk.node.identity.current().public();
    let rs = rs.down().await;
    let keys = uk.call(&rotate()).await;
    assert!(!keys.restart_needed);
    assert_eq!(keys.keys[1].state, "next");
    assert_eq!(keys.keys[1].waits_for[0].peer, "RS");
    assert!(keys.keys[1].waits_for[0].why.is_some());
    let signing_key = keys.keys[1].signing_key.clone();

    let uk = uk.restarted().await;
    let rs = rs.up().await;
    let keys = uk.call(&rotate()).await;
    assert!(keys.restart_needed);
    assert_eq!(keys.keys.len(), 2);
    assert_eq!(
        keys.keys[1].signing_key, signing_key,
        "the same change goes on"
    );
    let refused = uk.client(None).call(&rotate()).await.unwrap_err();
    assert!(refused.to_string().contains("next start"), "{refused}");

    let uk = uk.restarted().await;
    assert_eq!(uk.node.identity.node_key().to_string(), signing_key);
    rs.call(&ping("UK")).await;
    assert!(rs.call(&PeerShow { peer: "UK".into() }).await.verified);
    // A card with the new keys is that of the known peer; words need not be compared again.
    let card = uk.call(&PeerExport {}).await.card;
    assert!(rs.call(&PeerAdd { card }).await.verified);
    let transport = PeerKey(old.transport);
    assert_eq!(peers::code_of(&rs.node, &transport).as_deref(), Some("UK"));

    uk.advance(WEEK_S + 1);
    rs.advance(WEEK_S + 1);
    assert_eq!(peers::code_of(&rs.node, &transport), None);
    assert_eq!(erase_due(&uk.node).unwrap(), [0]);
    assert!(uk.node.identity.signer_for(&NodeKey(old.signing)).is_none());
    let ring = uk.node.identity.ring().unwrap();
    assert!(ring.secret(0).is_none());
    assert_eq!(ring.all().next().unwrap().state, KeyState::Erased);
    uk.node.store.verify_ledger(&[]).unwrap();
    // The ledger goes on and verifies after the next start too, and the peer is still a peer.
    let uk = uk.restarted().await;
    uk.node.store.verify_ledger(&[]).unwrap();
    uk.call(&ping("RS")).await;
    let states = uk.call(&KeyList {}).await.keys;
    assert_eq!(
        states
            .iter()
            .map(|keys| keys.state.as_str())
            .collect::<Vec<_>>(),
        ["erased", "current"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn replayed_forged_and_out_of_order_successions_change_nothing() {
    let (uk, rs) = two().await;
    become_peers(&uk, &rs).await;
    uk.call(&rotate()).await;
    let first = signed_of(&uk, 1);
    // A replay of the last one gets the same countersignature and changes nothing.
    let size = || rs.node.store.read().unwrap().ledger().unwrap().size();
    let before = size();
    let again = peers::accept_succession(&rs.node, "UK", &first).unwrap();
    let key = rs.node.identity.node_key();
    first.verify_countersignature("RS", &key, &again).unwrap();
    assert_eq!(size(), before);

    let uk = uk.restarted().await;
    uk.advance(WEEK_S + 1);
    rs.advance(WEEK_S + 1);
    erase_due(&uk.node).unwrap();
    uk.call(&rotate()).await;
    let second = signed_of(&uk, 2);
    let known = encode(&second.statement.new);
    let mut other_party = second.clone();
    other_party.statement.party = "FR".into();
    let mut forged = second.clone();
    forged.statement.old = second.statement.new;
    forged.statement.new = rs.node.identity.current().public();
    forged.statement.sequence = 3;
    for refused in [first, other_party, forged] {
        assert!(peers::accept_succession(&rs.node, "UK", &refused).is_err());
        let now = peers::in_force(&rs.node, "UK", None).unwrap();
        assert_eq!(encode(&now), known);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_whose_keys_are_revoked_is_refused_at_once_until_a_new_card_is_compared() {
    let (uk, rs) = two().await;
    evaluated(&uk, &rs).await;
    let card = rs.call(&PeerExport {}).await.card;
    let revoke = PeerRevoke {
        peer: "RS".into(),
        reason: "a stolen disk".into(),
    };
    let revoked = uk.call(&revoke).await;
    assert_eq!(revoked.suspended, [ID]);
    assert_eq!(revoked.ended, ["R-20261124-001"]);
    assert!(rs.client(None).call(&ping("UK")).await.is_err());
    assert!(uk.client(None).call(&ping("RS")).await.is_err());
    let show = AgreementShow { id: ID.into() };
    assert_eq!(uk.call(&show).await.state, "suspended");
    let round = RoundShow {
        round: "R-20261124-001".into(),
        after_revision: None,
        wait_ms: None,
    };
    assert_eq!(uk.call(&round).await.state, "ended");
    let again = uk.client(None).call(&PeerAdd { card }).await;
    assert!(again.is_err(), "the same card is not trusted again");

    let rs = rs.restarted().await;
    rs.call(&KeyRevoke {
        reason: "a stolen disk".into(),
    })
    .await;
    let rs = rs.restarted().await;
    let card = rs.call(&PeerExport {}).await.card;
    let added = uk.call(&PeerAdd { card }).await;
    assert!(!added.verified && !added.revoked);
    uk.call(&ping("RS")).await;
    // What was signed before can still be verified.
    let (_, faults) = pair_audit::audit(&uk.node).unwrap();
    assert_eq!(faults, Vec::<String>::new());
    let held = crate::agreements::find(&uk.node, ID).unwrap();
    let error = check_parties(&uk.node, &held.agreement).unwrap_err();
    assert_eq!(error.code, ErrorCode::Refused, "it names revoked keys");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_keys_are_gone_and_nothing_that_names_them_works() {
    let (uk, rs) = two().await;
    evaluated(&uk, &rs).await;
    let old = uk.node.identity.current().public();
    let revoked = uk
        .call(&KeyRevoke {
            reason: "a lost laptop".into(),
        })
        .await;
    assert_eq!(revoked.suspended, [ID]);
    assert_eq!(revoked.ended.len(), 1);
    assert!(
        *uk.node.stopping.borrow(),
        "no further step with the old keys"
    );
    let uk = uk.restarted().await;
    assert_eq!(
        uk.call(&PeerExport {}).await.fingerprint,
        revoked.fingerprint
    );
    assert!(!uk.node.identity.current().public().shares_with(&old));
    assert!(uk.node.identity.signer_for(&NodeKey(old.signing)).is_none());
    let held = crate::agreements::find(&uk.node, ID).unwrap();
    assert!(check_parties(&uk.node, &held.agreement).is_err());
    uk.node.store.verify_ledger(&[]).unwrap();
    let (_, faults) = pair_audit::audit(&uk.node).unwrap();
    assert_eq!(faults, Vec::<String>::new());
    // The peer has not been told: it knows no such node.
    assert!(uk.client(None).call(&ping("RS")).await.is_err());
}

#[test]
fn an_overlap_has_bounds_and_an_unknown_peer_is_no_peer() {
    let (_dir, _clock, node) = node();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let caller = crate::node::Caller {
        name: "olga".into(),
        roles: vec![mandorla_control::Role::Operator],
        uid: None,
    };
    let call = |overlap_s, without: &[&str]| {
        let call = KeyRotate {
            overlap_s,
            without: without.iter().map(|peer| (*peer).to_owned()).collect(),
        };
        runtime.block_on(crate::server::Serve::serve(call, &node, &caller))
    };
    assert_eq!(call(60, &[]).unwrap_err().code, ErrorCode::BadRequest);
    assert_eq!(call(WEEK_S, &["FR"]).unwrap_err().code, ErrorCode::NotFound);
    let ring = node.identity.ring().unwrap();
    assert!(ring.find(KeyState::Next).is_none(), "nothing was made");
    // Without peers nobody is waited for.
    assert!(call(WEEK_S, &[]).unwrap().restart_needed);
}
