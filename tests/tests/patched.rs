//! A peer's node that ignores the agreement is stopped by the other: each refusal has its reason in the ledger of the
//! node that refused, and nothing else happened there.

use std::net::SocketAddr;

use mandorla_agreement::Agreement;
use mandorla_control::{ApiError, AuditLog, RoundList, RoundPropose, RoundView};
use mandorla_node::Identity;
use mandorla_protocol::{CLOCK_SKEW_MAX_S, Digest, Offer, Refusal};
use mandorla_tests::{
    Agencies, Deal, Patched, STEP_WITHIN, entries, files_named, numbered, numbers_deal,
};
use mandorla_transport::PeerKey;

fn deal() -> Deal {
    Deal {
        min_set: 10,
        max_set: 30,
        ..numbers_deal()
    }
}

/// Two agencies under an agreement, each with twenty subjects; and the agreement.
async fn ready(deal: &Deal) -> (Agencies, Agreement) {
    let agencies = Agencies::two().await.expect("two nodes");
    let list = numbered("S", 0..20);
    agencies
        .prepare(deal, [&list, &list])
        .await
        .expect("an agreement and two lists");
    let text = deal
        .text([&agencies.cards[0], &agencies.cards[1]])
        .expect("an agreement");
    (
        agencies,
        Agreement::parse(text.as_bytes()).expect("an agreement"),
    )
}

/// Stops a node and takes its keys; the patched peer binds the node's own address or any port.
async fn patched(agencies: &mut Agencies, index: usize, own_address: bool) -> Patched {
    let card = card(agencies, index);
    let node = agencies.world.node_mut(index);
    node.stop().await;
    let identity = Identity::read(node.data_dir(), None).expect("the keys of a stopped node");
    let address = if own_address {
        card.0
    } else {
        SocketAddr::from(([127, 0, 0, 1], 0))
    };
    Patched::new(identity, address)
}

/// Where a node listens, and its transport key.
fn card(agencies: &Agencies, index: usize) -> (SocketAddr, PeerKey) {
    let card: toml::Table = agencies.cards[index].card.parse().expect("a card is TOML");
    let text = |name: &str| {
        card[name]
            .as_str()
            .expect("a card has its keys and address")
    };
    let key = text("transport_key").parse().expect("a key");
    (text("address").parse().expect("an address"), key)
}

async fn rounds(agencies: &Agencies, index: usize) -> Vec<RoundView> {
    let list = RoundList { state: None };
    let rounds = agencies.world.node(index).as_analyst(&list).await;
    rounds.expect("a list of rounds")
}

/// Every entry of the responder's ledger.
async fn ledger_size(agencies: &Agencies) -> usize {
    let log = AuditLog {
        from: 0,
        limit: 10_000,
    };
    let entries = agencies.responder().as_auditor(&log).await;
    entries.expect("a ledger").len()
}

type Change = fn(&mut Offer);

#[tokio::test(flavor = "multi_thread")]
async fn a_patched_requester_gets_nothing_but_a_refusal_and_one_ledger_entry() {
    let (mut agencies, agreement) = ready(&deal()).await;
    let responder = card(&agencies, 1);
    let patched = patched(&mut agencies, 0, false).await;
    let offers: [(&str, Change, Refusal); 10] = [
        (
            "another purpose",
            |o| o.purpose = "curiosity".into(),
            Refusal::Purpose,
        ),
        (
            "one byte changed",
            |o| o.agreement.0[31] ^= 1,
            Refusal::UnknownAgreement,
        ),
        (
            "no agreement",
            |o| o.agreement = Digest([0; 32]),
            Refusal::UnknownAgreement,
        ),
        (
            "too small a set",
            |o| o.subjects_class = 2,
            Refusal::SetSize,
        ),
        (
            "too large a set",
            |o| o.subjects_class = 6,
            Refusal::SetSize,
        ),
        ("too many cells", |o| o.cells_class = 20, Refusal::SetSize),
        (
            "another dataset",
            |o| o.responder_dataset = "all".into(),
            Refusal::Datasets,
        ),
        ("an earlier answer", |o| o.slots_s = vec![1], Refusal::Slots),
        ("a wider answer", |o| o.item_bytes = 65_536, Refusal::Slots),
        (
            "an hour off",
            |o| o.time += 12 * CLOCK_SKEW_MAX_S,
            Refusal::Clock,
        ),
    ];
    for (what, change, refusal) in offers {
        let before = (
            ledger_size(&agencies).await,
            entries(agencies.responder(), "round.refused")
                .await
                .unwrap()
                .len(),
        );
        let offered = patched
            .offer((responder.0, &responder.1), &agreement, change)
            .await;
        assert_eq!(offered, Err(refusal), "{what}");
        let after = (
            ledger_size(&agencies).await,
            entries(agencies.responder(), "round.refused")
                .await
                .unwrap()
                .len(),
        );
        assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1), "{what}");
    }
    assert!(rounds(&agencies, 1).await.is_empty());
    assert!(
        files_named(agencies.responder(), ".run").is_empty(),
        "nothing was blinded"
    );
    // The same offer unchanged is a round: nothing else stood in its way.
    let offered = patched
        .offer((responder.0, &responder.1), &agreement, |_| {})
        .await;
    assert_eq!(offered, Ok(()));
    assert_eq!(rounds(&agencies, 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_round_of_a_day_is_refused_by_the_responder_alone() {
    let deal = Deal {
        rounds_per_day: 2,
        ..deal()
    };
    let (mut agencies, agreement) = ready(&deal).await;
    let responder = card(&agencies, 1);
    let patched = patched(&mut agencies, 0, false).await;
    for _ in 0..2 {
        let offered = patched
            .offer((responder.0, &responder.1), &agreement, |_| {})
            .await;
        assert_eq!(offered, Ok(()));
    }
    let offered = patched
        .offer((responder.0, &responder.1), &agreement, |_| {})
        .await;
    assert_eq!(offered, Err(Refusal::Quota));
    assert_eq!(rounds(&agencies, 1).await.len(), 2);
    let refused = entries(agencies.responder(), "round.refused")
        .await
        .unwrap();
    let [refused] = refused.as_slice() else {
        panic!("{} refusals", refused.len());
    };
    let told = refused["detail"].to_string();
    assert!(told.contains("limits.GB_to_RS.rounds_per_day"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_outside_its_dates_is_none_whatever_the_requesters_clock_says() {
    let deal = Deal {
        begins_in_days: 2,
        ..deal()
    };
    let (mut agencies, agreement) = ready(&deal).await;
    let round = agencies.request(&deal);
    let error = agencies
        .requester()
        .as_analyst(&RoundPropose { round })
        .await
        .unwrap_err();
    assert!(error.message.contains("(not_before)"), "{error}");
    let responder = card(&agencies, 1);
    let patched = patched(&mut agencies, 0, false).await;
    let offered = patched
        .offer((responder.0, &responder.1), &agreement, |_| {})
        .await;
    assert_eq!(offered, Err(Refusal::Dates));
    let offered = patched
        .offer((responder.0, &responder.1), &agreement, |o| {
            o.time += 3 * 86_400;
        })
        .await;
    assert_eq!(offered, Err(Refusal::Dates));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patched_responder_gets_no_evaluation_and_uses_up_no_quota_here() {
    let (mut agencies, _) = ready(&deal()).await;
    let patched = patched(&mut agencies, 1, true).await;
    // log2 of its subjects and of its match keys: below min_set, above max_set, more keys than subjects.
    for (subjects, keys) in [
        (2, vec![2]),
        (9, vec![5]),
        (5, vec![24]),
        (5, vec![5, 5]),
        (5, vec![]),
    ] {
        let round = agencies.request(&deal());
        let proposed = agencies
            .requester()
            .as_analyst(&RoundPropose { round })
            .await
            .unwrap();
        let next = patched.accept(subjects, &keys).await;
        assert!(
            matches!(next, None | Some("Refuse")),
            "{subjects} {keys:?}: {next:?}"
        );
        let ended: Result<RoundView, ApiError> = agencies
            .requester()
            .wait_for_round(&proposed.id, STEP_WITHIN, |round| round.state == "ended")
            .await;
        let ended = ended.unwrap();
        assert!(
            ended.detail.contains("set size") || ended.detail.contains("match-key"),
            "{}",
            ended.detail
        );
    }
    assert!(
        entries(agencies.requester(), "round.terms")
            .await
            .unwrap()
            .is_empty(),
        "no quota was charged"
    );
    let round = agencies.request(&deal());
    agencies
        .requester()
        .as_analyst(&RoundPropose { round })
        .await
        .unwrap();
    assert_eq!(
        patched.accept(5, &[5]).await,
        Some("Confirm"),
        "nothing else stood in the way"
    );
}
