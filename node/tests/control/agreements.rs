//! An agreement between two nodes, from draft to suspension.

use mandorla_control::{
    AgreementActivate, AgreementBundle, AgreementDraft, AgreementExport, AgreementImport,
    AgreementLint, AgreementList, AgreementPropose, AgreementShow, AgreementSign, AgreementSuspend,
    ErrorCode, PeerAdd, PeerExport, PeerRemove, Status,
};

use crate::world::{NOON_S, Running, code, pair, refusal};

const ID: &str = "UK-RS-2026";

/// The draft as people would complete it.
async fn completed_draft(node: &Running) -> String {
    let draft = AgreementDraft {
        peer: "RS".into(),
        id: ID.into(),
        title: "Fictional agreement".into(),
    };
    let text = node.call(&draft).await.text;
    text.replace("PURPOSE-CODE", "OIC-FACILITATION")
        .replace(
            "THE PURPOSE, IN WORDS",
            "Detection of facilitators who use more than one identity",
        )
        .replace("WHO DECIDES", "authoriser@agency.example")
        .replace("WHO WATCHES", "dpo@agency.example")
}

async fn hand_over(from: &Running, to: &Running) -> mandorla_control::AgreementView {
    let bundle = from.call(&AgreementExport { id: ID.into() }).await;
    to.call(&AgreementImport { bundle }).await
}

async fn state(node: &Running) -> String {
    node.call(&AgreementShow { id: ID.into() }).await.state
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_becomes_live_on_both_nodes_by_both_signatures_and_both_activations() {
    let (uk, rs) = pair().await;
    let text = completed_draft(&uk).await;
    let findings = uk.call(&AgreementLint { text: text.clone() }).await;
    assert!(
        findings.iter().all(|finding| finding.severity != "error"),
        "{findings:?}"
    );

    let proposed = uk.call(&AgreementPropose { text }).await;
    assert_eq!(
        (proposed.state.as_str(), proposed.signed_by.as_slice()),
        ("signed by one", &["UK".to_owned()][..])
    );
    assert_eq!(hand_over(&uk, &rs).await.state, "signed by one");
    assert_eq!(
        code(&rs.refusal(&AgreementActivate { id: ID.into() }).await),
        ErrorCode::WrongState
    );

    let signed = rs.call(&AgreementSign { id: ID.into() }).await;
    assert_eq!(signed.state, "pilot");
    assert_eq!(
        signed.next.as_deref(),
        Some("mandorla agreement activate UK-RS-2026")
    );
    assert_eq!(hand_over(&rs, &uk).await.state, "pilot");
    assert_eq!(
        uk.call(&AgreementActivate { id: ID.into() }).await.state,
        "pilot"
    );
    assert_eq!(
        rs.call(&AgreementActivate { id: ID.into() }).await.state,
        "pilot"
    );
    assert_eq!(hand_over(&rs, &uk).await.state, "live");
    let live = hand_over(&uk, &rs).await;
    assert_eq!((live.state.as_str(), live.next), ("live", None));
    assert_eq!(live.hash, uk.call(&AgreementList {}).await[0].hash);
    assert_eq!(uk.call(&Status {}).await.agreements_live, 1);

    // Importing what is known changes nothing, not even the ledger.
    let before = uk.ledger().await.len();
    hand_over(&rs, &uk).await;
    let ledger = uk.ledger().await;
    assert_eq!(ledger.len(), before);
    let events: Vec<_> = ledger
        .iter()
        .map(|entry| entry["event"].as_str().unwrap())
        .collect();
    let count = |name| events.iter().filter(|event| **event == name).count();
    assert_eq!(count("agreement.proposed"), 1);
    assert_eq!(count("agreement.activated"), 1);
    assert_eq!(count("agreement.imported"), 2);
    let activated = ledger
        .iter()
        .find(|entry| entry["event"] == "agreement.activated")
        .unwrap();
    assert_eq!(activated["agreement"]["id"], ID);
    assert_eq!(activated["agreement"]["hash"], live.hash.as_str());

    let refused = uk.refusal(&PeerRemove { peer: "RS".into() }).await;
    assert_eq!(code(&refused), ErrorCode::InUse);

    let suspend = |reason: &str| AgreementSuspend {
        id: ID.into(),
        reason: reason.into(),
    };
    assert_eq!(
        code(&uk.refusal(&suspend(" ")).await),
        ErrorCode::BadRequest
    );
    let suspended = uk
        .client("petra")
        .call(&suspend("an incident"))
        .await
        .unwrap();
    assert_eq!(suspended.state, "suspended");
    assert_eq!(
        hand_over(&rs, &uk).await.state,
        "suspended",
        "the peer cannot end it"
    );
    assert_eq!(state(&rs).await, "live", "each side suspends for itself");
    assert_eq!(
        code(&refusal(&rs.client("ana"), &suspend("no")).await),
        ErrorCode::WrongRole
    );
    rs.set_time(NOON_S + 366 * 86_400);
    assert_eq!(state(&rs).await, "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_with_another_key_than_the_cards_is_refused_by_name() {
    let (uk, rs) = pair().await;
    let text = completed_draft(&uk).await;
    let keys: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("release_key = \"")?.strip_suffix('"'))
        .collect();
    let [of_uk, of_rs] = keys[..] else {
        panic!("{keys:?}")
    };
    let third = Running::start("HR", "HR").await;
    let card = third.call(&PeerExport {}).await.card;
    let foreign = card
        .lines()
        .find_map(|line| line.strip_prefix("release_key = \"")?.strip_suffix('"'))
        .unwrap();

    let own = uk
        .refusal(&AgreementPropose {
            text: text.replace(of_uk, foreign),
        })
        .await;
    assert_eq!(code(&own), ErrorCode::Refused);
    assert!(
        own.message.contains("release_key of party UK"),
        "{}",
        own.message
    );
    let swapped = text.replace(of_rs, foreign);
    let peers = uk
        .refusal(&AgreementPropose {
            text: swapped.clone(),
        })
        .await;
    assert!(
        peers.message.contains("release_key of party RS"),
        "{}",
        peers.message
    );
    let findings = uk.call(&AgreementLint { text: swapped }).await;
    assert_eq!(findings[0].severity, "error");
    let not_ours = third.refusal(&AgreementPropose { text }).await;
    assert!(
        not_ours.message.contains("this node is HR"),
        "{}",
        not_ours.message
    );
    assert!(
        uk.call(&AgreementList {}).await.is_empty() && rs.call(&AgreementList {}).await.is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_was_tampered_with_leaves_no_trace() {
    let (uk, rs) = pair().await;
    uk.call(&AgreementPropose {
        text: completed_draft(&uk).await,
    })
    .await;
    let bundle = uk.call(&AgreementExport { id: ID.into() }).await;
    let import = |change: fn(&mut AgreementBundle)| {
        let mut bundle = bundle.clone();
        change(&mut bundle);
        AgreementImport { bundle }
    };
    for tampered in [
        import(|b| b.text.push('#')),
        import(|b| b.text = b.text.replace("rounds_per_day = 2", "rounds_per_day = 3")),
        import(|b| b.signatures[0].signature.replace_range(0..2, "zz")),
        import(|b| b.signatures[0].party = "RS".into()),
        import(|b| b.signatures[0].party = "HR".into()),
        import(|b| b.activations = b.signatures.clone()),
    ] {
        assert_eq!(code(&rs.refusal(&tampered).await), ErrorCode::BadSignature);
    }
    let refused = rs.refusal(&import(|b| b.schema = 2)).await;
    assert_eq!(code(&refused), ErrorCode::BadFile);
    let refused = rs.refusal(&import(|b| b.text = "schema = 1".into())).await;
    assert_eq!(code(&refused), ErrorCode::BadAgreement);
    assert!(rs.call(&AgreementList {}).await.is_empty());

    // Once stored, another text under the same id is another agreement.
    hand_over(&uk, &rs).await;
    let other = bundle
        .text
        .replace("rounds_per_day = 2", "rounds_per_day = 3");
    assert_eq!(
        code(&rs.refusal(&AgreementPropose { text: other }).await),
        ErrorCode::Exists
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn real_data_waits_until_the_words_were_compared() {
    let (uk, rs) = (
        Running::start("UK", "GB").await,
        Running::start("RS", "RS").await,
    );
    for (node, peer) in [(&uk, &rs), (&rs, &uk)] {
        let card = peer.call(&PeerExport {}).await.card;
        node.call(&PeerAdd { card }).await;
    }
    uk.call(&AgreementPropose {
        text: completed_draft(&uk).await,
    })
    .await;
    hand_over(&uk, &rs).await;
    rs.call(&AgreementSign { id: ID.into() }).await;
    let refused = rs.refusal(&AgreementActivate { id: ID.into() }).await;
    assert_eq!(code(&refused), ErrorCode::Refused);
    assert_eq!(refused.hint.as_deref(), Some("mandorla peer verify UK"));
}
