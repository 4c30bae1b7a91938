//! An agreement between two nodes, from draft to suspension.

use mandorla_control::{
    AgreementActivate, AgreementDraft, AgreementExport, AgreementImport, AgreementLint,
    AgreementList, AgreementPapers, AgreementPropose, AgreementRead, AgreementResume,
    AgreementShow, AgreementSign, AgreementSuspend, AgreementView, DraftChoices, DraftPartyChoices,
    ErrorCode, PartyStatement, PeerAdd, PeerExport, PeerRemove, Status, SuspensionCode,
};

use crate::world::{NOON_S, Running, code, pair, refusal};

const ID: &str = "UK-RS-2026";

/// The draft as people would complete it.
async fn completed_draft(node: &Running) -> String {
    let draft = AgreementDraft {
        peer: "RS".into(),
        id: ID.into(),
        title: "Fictional agreement".into(),
        choices: DraftChoices::default(),
    };
    let text = node.call(&draft).await.text;
    text.replace("PURPOSE-CODE", "OIC-FACILITATION")
        .replace(
            "THE PURPOSE, IN WORDS",
            "Detection of facilitators who use more than one identity",
        )
        .replace("WHO DECIDES", "authoriser@agency.example")
        .replace("WHO WATCHES", "dpo@agency.example")
        .replace("\"AUTHORITY\"", "\"Fictional Information Commission\"")
        .replace("\"INSTRUMENT\"", "\"Fictional Border Cooperation Treaty\"")
        .replace(
            "\"LEGAL BASIS\"",
            "\"Fictional Police Data Act, section 35\"",
        )
        .replace("TRANSFER BASIS", "Fictional Police Data Act, section 73")
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
        code: SuspensionCode::Incident,
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

/// A version with these lines changed, as the successor of what a view describes.
fn amended(text: &str, of: &AgreementView, changes: &[(&str, &str)]) -> String {
    let next = of.version + 1;
    let version = format!("version = {next}\nsupersedes = \"{}\"", of.hash);
    let mut text: String = text
        .lines()
        .filter(|line| !line.starts_with("supersedes"))
        .map(|line| {
            if line.starts_with("version = ") {
                format!("{version}\n")
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    for (from, to) in changes {
        assert_eq!(
            text.matches(from).count(),
            1 + usize::from(from.starts_with("rounds")),
            "{from}"
        );
        text = text.replace(from, to);
    }
    text
}

/// Both sign the newest version and activate it.
async fn enter_into(uk: &Running, rs: &Running) {
    let id = || ID.to_owned();
    hand_over(uk, rs).await;
    rs.call(&AgreementSign { id: id() }).await;
    rs.call(&AgreementActivate { id: id() }).await;
    hand_over(rs, uk).await;
    uk.call(&AgreementActivate { id: id() }).await;
    hand_over(uk, rs).await;
}

/// Version and state of each version.
async fn versions(node: &Running) -> Vec<(u32, String)> {
    let all = node.call(&AgreementList {}).await.into_iter();
    all.map(|view| (view.version, view.state)).collect()
}

fn suspend(code: SuspensionCode, reason: &str) -> AgreementSuspend {
    AgreementSuspend {
        id: ID.into(),
        code,
        reason: reason.into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amendment_supersedes_the_version_before_once_both_activated_it() {
    let (uk, rs) = pair().await;
    let first = completed_draft(&uk).await;
    uk.call(&AgreementPropose {
        text: first.clone(),
    })
    .await;
    enter_into(&uk, &rs).await;
    let v1 = uk.call(&AgreementShow { id: ID.into() }).await;
    assert_eq!(v1.state, "live");

    let second = amended(&first, &v1, &[("rounds_per_day = 2", "rounds_per_day = 3")]);
    let v2 = uk
        .call(&AgreementPropose {
            text: second.clone(),
        })
        .await;
    assert_eq!((v2.version, v2.state.as_str()), (2, "signed by one"));
    assert_eq!(hand_over(&uk, &rs).await.version, 2);
    rs.call(&AgreementSign { id: ID.into() }).await;
    rs.call(&AgreementActivate { id: ID.into() }).await;
    hand_over(&rs, &uk).await;
    let before = [(1, "live".to_owned()), (2, "pilot".to_owned())];
    assert_eq!(versions(&uk).await, before, "one activation is not enough");
    let shown = uk.call(&AgreementList {}).await;
    assert_eq!([shown[0].in_force, shown[1].in_force], [true, false]);
    uk.call(&AgreementActivate { id: ID.into() }).await;
    let after = [(1, "superseded".to_owned()), (2, "live".to_owned())];
    assert_eq!(versions(&uk).await, after);
    assert_eq!(versions(&rs).await, before, "here it is not known yet");
    hand_over(&uk, &rs).await;
    assert_eq!(versions(&rs).await, after);
    assert!(rs.call(&AgreementShow { id: ID.into() }).await.in_force);

    // Each version keeps its own text, and is named by its number.
    let read = |id: &str| AgreementRead { id: id.into() };
    assert_eq!(rs.call(&read("UK-RS-2026@1")).await.text, first);
    assert_eq!(rs.call(&read(ID)).await.text, second);
    assert_eq!(
        code(&rs.refusal(&read("UK-RS-2026@3")).await),
        ErrorCode::NotFound
    );
    assert_eq!(
        code(&rs.refusal(&read("UK-RS-2026@x")).await),
        ErrorCode::BadRequest
    );

    // What is superseded is over: it cannot be activated again, and does not come back by a suspension of the next.
    let again = AgreementActivate {
        id: "UK-RS-2026@1".into(),
    };
    assert_eq!(code(&uk.refusal(&again).await), ErrorCode::WrongState);
    uk.call(&suspend(SuspensionCode::Legal, "a court")).await;
    let both = [(1, "suspended".to_owned()), (2, "suspended".to_owned())];
    assert_eq!(versions(&uk).await, both);
    uk.call(&AgreementResume { id: ID.into() }).await;
    hand_over(&uk, &rs).await;
    rs.call(&AgreementResume { id: ID.into() }).await;
    assert_eq!(versions(&rs).await, after);

    // A node that knows nothing takes the whole history from one bundle.
    let bundle = uk.call(&AgreementExport { id: ID.into() }).await;
    assert_eq!(bundle.versions.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_next_version_after_the_current_one_is_taken() {
    let (uk, rs) = pair().await;
    let first = completed_draft(&uk).await;
    let v1 = uk
        .call(&AgreementPropose {
            text: first.clone(),
        })
        .await;
    let second = amended(&first, &v1, &[]);

    let refused = rs
        .refusal(&AgreementPropose {
            text: second.clone(),
        })
        .await;
    assert_eq!(code(&refused), ErrorCode::Refused);
    assert!(
        refused.message.contains("does not hold (supersedes)"),
        "{}",
        refused.message
    );

    let skipping = second.replace("version = 2", "version = 3");
    let refused = uk.refusal(&AgreementPropose { text: skipping }).await;
    assert_eq!(
        refused.message,
        "version 3 of UK-RS-2026 is not the next after 1 (version)"
    );
    let of_another = second.replace(&v1.hash, &"ab".repeat(32));
    let refused = uk.refusal(&AgreementPropose { text: of_another }).await;
    assert!(
        refused.message.contains("(supersedes)"),
        "{}",
        refused.message
    );
    assert!(refused.hint.unwrap().contains(&v1.hash));
    assert_eq!(versions(&uk).await.len(), 1, "nothing of it was kept");

    uk.call(&AgreementPropose { text: second }).await;
    uk.set_time(NOON_S + 366 * 86_400);
    let third = amended(
        &first,
        &uk.call(&AgreementShow { id: ID.into() }).await,
        &[],
    );
    let refused = uk.refusal(&AgreementPropose { text: third }).await;
    assert!(
        refused.message.contains("has expired"),
        "{}",
        refused.message
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_by_one_ends_by_the_resumption_of_both() {
    let (uk, rs) = pair().await;
    let text = completed_draft(&uk).await;
    uk.call(&AgreementPropose { text }).await;
    enter_into(&uk, &rs).await;
    let old = uk.call(&AgreementExport { id: ID.into() }).await;

    let because = "the register is being repaired";
    let suspended = uk
        .call(&suspend(SuspensionCode::Operational, because))
        .await;
    assert_eq!(suspended.state, "suspended");
    assert_eq!(suspended.suspended_by, ["UK"]);
    assert_eq!(suspended.suspended_because.as_deref(), Some(because));
    let again = uk.refusal(&suspend(SuspensionCode::Other, "again")).await;
    assert_eq!(code(&again), ErrorCode::WrongState);
    let told = hand_over(&uk, &rs).await;
    assert_eq!(
        (told.state.as_str(), told.suspended_because),
        ("suspended", None)
    );
    let ledger = uk.ledger().await;
    let entry = ledger
        .iter()
        .find(|entry| entry["event"] == "agreement.suspended");
    let entry = entry.unwrap().to_string();
    assert!(
        entry.contains("operational") && !entry.contains("register"),
        "{entry}"
    );

    // Neither side alone, and nothing signed before, ends it.
    for node in [&uk, &rs] {
        node.call(&AgreementImport {
            bundle: old.clone(),
        })
        .await;
        assert_eq!(state(node).await, "suspended");
        let refused = node.refusal(&AgreementActivate { id: ID.into() }).await;
        assert_eq!(
            refused.hint.as_deref(),
            Some("mandorla agreement resume UK-RS-2026")
        );
    }
    let resumed = rs.call(&AgreementResume { id: ID.into() }).await;
    assert_eq!(
        (resumed.state.as_str(), resumed.resumed_by.as_slice()),
        ("suspended", &["RS".to_owned()][..])
    );
    let next = hand_over(&rs, &uk).await.next;
    assert_eq!(
        next.as_deref(),
        Some("mandorla agreement resume UK-RS-2026")
    );
    assert_eq!(
        uk.call(&AgreementResume { id: ID.into() }).await.state,
        "live"
    );
    assert_eq!(state(&rs).await, "suspended", "RS has not heard of it");
    assert_eq!(hand_over(&uk, &rs).await.state, "live");
    let refused = rs.refusal(&AgreementResume { id: ID.into() }).await;
    assert_eq!(code(&refused), ErrorCode::WrongState);

    // Both at once, each without the other's: one resumption of each is enough, and a new suspension needs a new one.
    uk.call(&suspend(SuspensionCode::Other, "a doubt")).await;
    rs.call(&suspend(SuspensionCode::Other, "another doubt"))
        .await;
    uk.call(&AgreementResume { id: ID.into() }).await;
    rs.call(&AgreementResume { id: ID.into() }).await;
    hand_over(&uk, &rs).await;
    assert_eq!(hand_over(&rs, &uk).await.state, "live");
    rs.call(&suspend(SuspensionCode::Other, "a third")).await;
    hand_over(&uk, &rs).await;
    assert_eq!(state(&rs).await, "suspended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pilot_is_suspended_and_resumes_as_a_pilot() {
    let (uk, rs) = pair().await;
    let text = completed_draft(&uk).await;
    uk.call(&AgreementPropose { text }).await;
    hand_over(&uk, &rs).await;
    rs.call(&AgreementSign { id: ID.into() }).await;
    hand_over(&rs, &uk).await;
    assert_eq!(state(&uk).await, "pilot");
    let suspended = uk.call(&suspend(SuspensionCode::Other, "wait")).await;
    assert_eq!(suspended.state, "suspended");
    hand_over(&uk, &rs).await;
    rs.call(&AgreementResume { id: ID.into() }).await;
    hand_over(&rs, &uk).await;
    assert_eq!(
        uk.call(&AgreementResume { id: ID.into() }).await.state,
        "pilot"
    );
    hand_over(&uk, &rs).await;
    for node in [&uk, &rs] {
        assert_eq!(state(node).await, "pilot");
        node.call(&AgreementActivate { id: ID.into() }).await;
    }
    hand_over(&uk, &rs).await;
    assert_eq!(hand_over(&rs, &uk).await.state, "live");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_from_which_a_suspension_was_cut_is_refused() {
    let (uk, rs) = pair().await;
    let text = completed_draft(&uk).await;
    uk.call(&AgreementPropose { text }).await;
    enter_into(&uk, &rs).await;
    uk.call(&suspend(SuspensionCode::Other, "a doubt")).await;
    uk.call(&AgreementResume { id: ID.into() }).await;
    let mut bundle = uk.call(&AgreementExport { id: ID.into() }).await;
    bundle.versions[0].suspensions.clear();
    let refused = rs.refusal(&AgreementImport { bundle }).await;
    assert_eq!(code(&refused), ErrorCode::BadFile);
    assert!(
        refused.message.contains("suspension 1"),
        "{}",
        refused.message
    );
    assert_eq!(state(&rs).await, "live");
}

/// A signature over the text where a statement belongs.
fn signature_as_statement(papers: &AgreementPapers) -> PartyStatement {
    PartyStatement {
        party: papers.signatures[0].party.clone(),
        sequence: 1,
        signature: papers.signatures[0].signature.clone(),
    }
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
    let import = |change: fn(&mut AgreementPapers)| {
        let mut bundle = bundle.clone();
        change(&mut bundle.versions[0]);
        AgreementImport { bundle }
    };
    for tampered in [
        import(|b| b.text.push('#')),
        import(|b| b.text = b.text.replace("rounds_per_day = 2", "rounds_per_day = 3")),
        import(|b| b.signatures[0].signature.replace_range(0..2, "zz")),
        import(|b| b.signatures[0].party = "RS".into()),
        import(|b| b.signatures[0].party = "HR".into()),
        import(|b| b.activations = vec![signature_as_statement(b)]),
        import(|b| b.suspensions = vec![signature_as_statement(b)]),
        import(|b| b.resumptions = vec![signature_as_statement(b)]),
    ] {
        assert_eq!(code(&rs.refusal(&tampered).await), ErrorCode::BadSignature);
    }
    let mut other_schema = import(|_| ());
    other_schema.bundle.schema = 2;
    let refused = rs.refusal(&other_schema).await;
    assert_eq!(code(&refused), ErrorCode::BadFile);
    let refused = rs.refusal(&import(|b| b.text = "schema = 1".into())).await;
    assert_eq!(code(&refused), ErrorCode::BadAgreement);
    assert!(rs.call(&AgreementList {}).await.is_empty());

    // Once stored, another text under the same id is another agreement.
    hand_over(&uk, &rs).await;
    let other = bundle.versions[0]
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

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_with_every_choice_made_can_be_proposed_as_it_stands() {
    let (uk, _rs) = pair().await;
    let some = |text: &str| Some(text.to_owned());
    let party = |dataset: &str| DraftPartyChoices {
        instrument: some("Fictional Border Cooperation Treaty"),
        basis: some("Fictional Police Data Act, section 35"),
        transfer_basis: some("Fictional Police Data Act, section 73"),
        dpia_ref: some("DPIA-2026-7"),
        authoriser: some("authoriser@agency.example"),
        dpo: some("dpo@agency.example"),
        supervisory_authority: some("Fictional Information Commission"),
        datasets: vec![dataset.to_owned()],
    };
    let mut draft = AgreementDraft {
        peer: "RS".into(),
        id: ID.into(),
        title: "Fictional agreement".into(),
        choices: DraftChoices {
            purpose: some("OIC-FACILITATION"),
            purpose_text: some("Detection of facilitators who use more than one identity"),
            own: party("watchlist=4_000"),
            other: party("registry"),
            slots: vec!["4h".into(), "24h".into()],
            min_set: Some(50),
            rounds_per_day: Some(1),
            forbidden: vec!["dob".into()],
            ..DraftChoices::default()
        },
    };
    let text = uk.call(&draft).await.text;
    let proposed = uk.call(&AgreementPropose { text: text.clone() }).await;
    assert_eq!(proposed.state, "signed by one");
    for line in [
        "max_records = 4000",
        "slots = [\"4h\", \"24h\"]",
        "min_set = 50",
        "rounds_per_day = 1",
    ] {
        assert!(text.contains(line), "{line}");
    }
    draft.choices.slots = vec!["soon".into()];
    let refused = uk.refusal(&draft).await;
    assert_eq!(code(&refused), ErrorCode::BadRequest);
    assert!(refused.message.contains("\"soon\""), "{}", refused.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_whose_blanks_nobody_filled_in_is_neither_proposed_nor_signed() {
    let (uk, rs) = pair().await;
    let draft = AgreementDraft {
        peer: "RS".into(),
        id: ID.into(),
        title: "Fictional agreement".into(),
        choices: DraftChoices::default(),
    };
    let text = uk.call(&draft).await.text;
    let refused = uk.refusal(&AgreementPropose { text }).await;
    assert_eq!(code(&refused), ErrorCode::BadAgreement);
    assert!(refused.message.contains("more"), "{}", refused.message);
    assert!(uk.call(&AgreementList {}).await.is_empty());
    assert!(rs.call(&AgreementList {}).await.is_empty());
}
