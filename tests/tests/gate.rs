//! Nothing leaves before somebody else than the proposer says so, and nothing that the agreement does not allow.

use std::process::Command;

use mandorla_cli::world::both_ways;
use mandorla_control::{
    AgreementSuspend, ApiError, ErrorCode, PeerList, ReviewApprove, ReviewDecline, RoundList,
    RoundPlan, RoundPropose, RoundRequest, RoundShow, RoundView, SuspensionCode,
};
use mandorla_linkage::{Field, Subject};
use mandorla_tests::{
    Agencies, BOTH_ROLES, Deal, List, STEP_WITHIN, files_named, number_key, program,
};

mod gate {
    pub(super) mod secrets;
}

fn deal() -> Deal {
    Deal {
        match_keys: vec![number_key()],
        fields_on_match: vec![Field::CaseRef, Field::NationalId],
        ..Deal::default()
    }
}

fn numbered(prefix: &str, count: usize) -> List {
    let subject = |index| {
        let reference = format!("{prefix}{index}");
        Subject::new(reference).with(Field::NationalId, format!("AB{index}"))
    };
    List::of(&(0..count).map(subject).collect::<Vec<_>>())
}

async fn ready(deal: &Deal, asked: usize, known: usize) -> Agencies {
    let agencies = Agencies::two().await.expect("two nodes");
    let lists = [numbered("a", asked), numbered("k", known)];
    let [asked, known] = &lists;
    agencies
        .prepare(deal, [asked, known])
        .await
        .expect("an agreement and two lists");
    agencies
}

async fn rounds(agencies: &Agencies, index: usize) -> Vec<RoundView> {
    let list = RoundList { state: None };
    agencies
        .world
        .node(index)
        .as_analyst(&list)
        .await
        .expect("a list of rounds")
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_approval_the_responder_holds_no_cell() {
    let deal = deal();
    let agencies = ready(&deal, 3_000, 4).await;
    let plan = RoundPlan {
        round: agencies.request(&deal),
    };
    let plan = agencies.requester().as_analyst(&plan).await.unwrap();
    let asked = agencies.evaluated(&deal).await.unwrap();
    let before = agencies
        .responder()
        .counted(&asked.peer.id, 0)
        .await
        .unwrap();
    assert_eq!(before.state, "awaiting-approval");
    assert_eq!(
        before.case_reference, None,
        "the case reference comes with the question"
    );
    assert_eq!(files_named(agencies.requester(), "-cells.run").len(), 1);
    assert!(files_named(agencies.responder(), "-cells.run").is_empty());
    let (_, received) = before.wire_bytes;
    assert!(
        received < plan.question_bytes,
        "{received} of {}",
        plan.question_bytes
    );

    agencies.approve(&asked).await.unwrap();
    let after = agencies
        .responder()
        .counted(&asked.peer.id, both_ways(&before))
        .await
        .unwrap();
    assert!(
        after.wire_bytes.1 - received >= plan.question_bytes,
        "{:?}",
        after.wire_bytes
    );
    assert_eq!(after.case_reference.as_deref(), Some(mandorla_tests::CASE));
    // Sent, and matched: the cells are gone on both sides.
    for node in [agencies.requester(), agencies.responder()] {
        assert!(
            files_named(node, "-cells.run").is_empty(),
            "node {}",
            node.code()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_decides_on_their_own_proposal() {
    let deal = deal();
    let agencies = ready(&deal, 5, 5).await;
    let round = agencies.request(&deal);
    let requester = agencies.requester();
    let proposed = requester
        .call(BOTH_ROLES, &RoundPropose { round })
        .await
        .unwrap();
    let waits = |round: &RoundView| round.state == "awaiting-approval";
    requester
        .wait_for_round(&proposed.id, STEP_WITHIN, waits)
        .await
        .unwrap();

    let reason = "mine".to_owned();
    let approve = ReviewApprove {
        round: proposed.id.clone(),
        reason: reason.clone(),
    };
    let error = requester.call(BOTH_ROLES, &approve).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::OwnProposal, "{error}");
    let decline = ReviewDecline {
        round: proposed.id.clone(),
        reason,
    };
    let error = requester.call(BOTH_ROLES, &decline).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::OwnProposal, "{error}");
    let command = Command::new(program())
        .arg("--data-dir")
        .arg(requester.data_dir())
        .args([
            "--user",
            BOTH_ROLES,
            "review",
            "approve",
            &proposed.id,
            "--reason",
            "mine",
        ])
        .output()
        .unwrap();
    assert_eq!(command.status.code(), Some(4));
    let told = String::from_utf8_lossy(&command.stderr);
    assert!(told.contains("M-214"), "{told}");
    let error = requester.as_analyst(&approve).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::WrongRole, "{error}");

    let show = RoundShow {
        round: proposed.id.clone(),
        after_revision: None,
        wait_ms: None,
    };
    let still = requester.as_analyst(&show).await.unwrap();
    assert_eq!(still.state, "awaiting-approval");
    assert!(files_named(agencies.responder(), "-cells.run").is_empty());
    requester.as_officer(&approve).await.unwrap();
    let sent = |round: &RoundView| round.state == "awaiting-answers";
    requester
        .wait_for_round(&proposed.id, STEP_WITHIN, sent)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_round_ends_on_both_sides_with_the_reason() {
    let deal = deal();
    let agencies = ready(&deal, 5, 5).await;
    let asked = agencies.evaluated(&deal).await.unwrap();
    let decline = ReviewDecline {
        round: asked.own.id.clone(),
        reason: "too broad".to_owned(),
    };
    agencies.requester().as_officer(&decline).await.unwrap();
    let ended = |round: &RoundView| round.state == "ended";
    let own = agencies
        .requester()
        .wait_for_round(&asked.own.id, STEP_WITHIN, ended)
        .await
        .unwrap();
    let peer = agencies
        .responder()
        .wait_for_round(&asked.peer.id, STEP_WITHIN, ended)
        .await
        .unwrap();
    assert!(own.detail.contains("declined"), "{}", own.detail);
    assert_eq!(peer.detail, "the requester's authoriser declined to ask");
    assert_eq!(peer.case_reference, None);
    // The officer's reason is not the peer's to know.
    assert!(!peer.detail.contains("broad"));
    let approve = ReviewApprove {
        round: asked.own.id.clone(),
        reason: "after all".to_owned(),
    };
    let error = agencies.requester().as_officer(&approve).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::WrongState, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undecided_round_lapses_and_the_waiting_responder_is_told() {
    let deal = Deal {
        question_deadline_s: 6,
        ..deal()
    };
    let agencies = ready(&deal, 5, 5).await;
    let asked = agencies.evaluated(&deal).await.unwrap();
    let ended = |round: &RoundView| round.state == "ended";
    let own = agencies
        .requester()
        .wait_for_round(&asked.own.id, STEP_WITHIN, ended)
        .await
        .unwrap();
    let peer = agencies
        .responder()
        .wait_for_round(&asked.peer.id, STEP_WITHIN, ended)
        .await
        .unwrap();
    assert_eq!(own.detail, "nobody approved the question in time");
    assert_eq!(
        peer.detail,
        "the requester's authoriser did not decide in time"
    );
    assert!(
        files_named(agencies.responder(), ".run").is_empty(),
        "its values are gone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_stops_rounds_and_releases_and_the_slot_still_answers() {
    let deal = Deal {
        slots_s: vec![10],
        ..deal()
    };
    let agencies = ready(&deal, 2, 2).await;
    let asked = agencies.ask(&deal).await.unwrap();
    let waiting = agencies.waiting(&asked).await.unwrap();
    let [first, second] = waiting.as_slice() else {
        panic!("{} hits", waiting.len());
    };
    agencies.release(&first.item, &[]).await.unwrap();
    let suspend = AgreementSuspend {
        id: deal.id.clone(),
        code: SuspensionCode::Incident,
        reason: "a doubt".to_owned(),
    };
    agencies.responder().as_operator(&suspend).await.unwrap();
    let error = agencies.release(&second.item, &[]).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Refused, "{error}");
    assert!(error.message.contains("suspended"), "{error}");

    // The requester does not know yet: it is told by the refusal of its offer.
    let error = agencies.evaluated(&deal).await.unwrap_err();
    assert!(error.message.contains("is ended"), "{error}");
    assert!(error.message.contains("suspended"), "{error}");
    assert_eq!(rounds(&agencies, 1).await.len(), 1);

    agencies.requester().as_operator(&suspend).await.unwrap();
    let error = refused(&agencies, agencies.request(&deal)).await;
    assert_eq!(error.code, ErrorCode::Refused, "{error}");
    assert!(error.message.contains("suspended"), "{error}");

    let hits = agencies.answer(&asked).await.unwrap();
    let ids: Vec<&str> = hits.iter().map(|hit| hit.id.as_str()).collect();
    assert_eq!(ids, [first.item.as_str()]);
}

/// Makes one thing wrong.
type Break = fn(&mut RoundRequest);

async fn refused(agencies: &Agencies, round: RoundRequest) -> ApiError {
    let proposed = agencies
        .requester()
        .as_analyst(&RoundPropose { round })
        .await;
    proposed.expect_err("a round that may not be")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_agreement_does_not_allow_is_refused_with_the_clause_and_nothing_is_sent() {
    let deal = Deal {
        min_set: 10,
        max_set: 30,
        ..deal()
    };
    let agencies = ready(&deal, 20, 20).await;
    let other = numbered("o", 20);
    agencies
        .requester()
        .load("other", &other.map, &other.csv)
        .await
        .unwrap();
    let request = || agencies.request(&deal);
    let refusals: [(Break, ErrorCode, &str); 7] = [
        (
            |round| round.purpose = "curiosity".into(),
            ErrorCode::Refused,
            "purpose.code",
        ),
        (
            |round| round.case_reference = "  ".into(),
            ErrorCode::Refused,
            "case reference",
        ),
        (
            |round| round.dataset = "nowhere".into(),
            ErrorCode::NotFound,
            "no dataset nowhere",
        ),
        (
            |round| round.dataset = "other".into(),
            ErrorCode::Refused,
            "`other` is not a dataset",
        ),
        (
            |round| round.peer_dataset = Some("nowhere".into()),
            ErrorCode::Refused,
            "`nowhere` is not a dataset",
        ),
        (
            |round| round.agreement = "GB-RS-none".into(),
            ErrorCode::NotFound,
            "GB-RS-none",
        ),
        (
            |round| round.peer = "FR".into(),
            ErrorCode::NotFound,
            "no peer FR",
        ),
    ];
    for (breaks, code, clause) in refusals {
        let mut round = request();
        breaks(&mut round);
        let what = format!("{round:?}");
        let error = refused(&agencies, round).await;
        assert_eq!(error.code, code, "{what}: {error}");
        assert!(error.message.contains(clause), "{what}: {error}");
        assert!(error.hint.is_some(), "{what}");
    }
    for (count, clause) in [(9, "limits.GB_to_RS.min_set"), (31, "max_")] {
        let list = numbered("s", count);
        agencies
            .requester()
            .load(&deal.datasets[0], &list.map, &list.csv)
            .await
            .unwrap();
        let error = refused(&agencies, request()).await;
        assert_eq!(error.code, ErrorCode::Refused, "{count}: {error}");
        assert!(error.message.contains(clause), "{count}: {error}");
    }
    for index in 0..2 {
        assert!(rounds(&agencies, index).await.is_empty());
        assert!(
            !has_seen_its_peer(&agencies, index).await,
            "somebody connected"
        );
    }
    // The same request within the agreement goes through: nothing else stood in its way.
    let list = numbered("a", 20);
    agencies
        .requester()
        .load(&deal.datasets[0], &list.map, &list.csv)
        .await
        .unwrap();
    agencies.evaluated(&deal).await.unwrap();
    assert!(has_seen_its_peer(&agencies, 1).await);
}

async fn has_seen_its_peer(agencies: &Agencies, index: usize) -> bool {
    let node = agencies.world.node(index);
    let peers = node
        .as_operator(&PeerList {})
        .await
        .expect("a list of peers");
    assert_eq!(peers.len(), 1);
    peers[0].last_seen.is_some()
}
