//! What an agreement says of a pilot, of scope and of second officers holds between two nodes.

use mandorla_control::{
    AgreementExport, AgreementImport, AgreementPropose, AgreementSign, ApiError, ErrorCode,
    ReviewRelease, RoundPlan, RoundPropose, RoundView,
};
use mandorla_linkage::{Field, Subject};
use mandorla_tests::{Agencies, Deal, List, STEP_WITHIN, entries, number_key};

fn deal(edits: &[(&'static str, &'static str)]) -> Deal {
    Deal {
        match_keys: vec![number_key()],
        fields_on_match: vec![Field::CaseRef, Field::NationalId],
        edits: edits.to_vec(),
        ..Deal::default()
    }
}

/// Subjects with these numbers and nationalities.
fn list(prefix: &str, subjects: &[(&str, &str)]) -> List {
    let subject = |(index, (number, nationality)): (usize, &(&str, &str))| {
        Subject::new(format!("{prefix}{index}"))
            .with(Field::NationalId, *number)
            .with(Field::Nationality, *nationality)
    };
    List::of(&subjects.iter().enumerate().map(subject).collect::<Vec<_>>())
}

fn synthetic(list: &List) -> List {
    let mut list = list.clone();
    list.map.insert_str(0, "synthetic = true\n");
    list
}

/// Both sign, nobody activates.
async fn sign(agencies: &Agencies, deal: &Deal) -> Result<(), ApiError> {
    let text = deal.text([&agencies.cards[0], &agencies.cards[1]])?;
    let (requester, responder) = (agencies.requester(), agencies.responder());
    let id = || deal.id.clone();
    requester.as_operator(&AgreementPropose { text }).await?;
    let export = AgreementExport { id: id() };
    let bundle = requester.as_operator(&export).await?;
    responder.as_operator(&AgreementImport { bundle }).await?;
    responder.as_operator(&AgreementSign { id: id() }).await?;
    let bundle = responder.as_operator(&export).await?;
    requester.as_operator(&AgreementImport { bundle }).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pilot_runs_on_synthetic_data_of_both_and_on_no_other() {
    let deal = deal(&[("pilot_required = false", "pilot_required = true")]);
    let agencies = Agencies::two().await.unwrap();
    sign(&agencies, &deal).await.unwrap();
    let lists = [
        list("a", &[("AB1", "GB"), ("AB2", "GB")]),
        list("k", &[("AB2", "RS"), ("AB3", "RS")]),
    ];
    for (index, list) in lists.iter().enumerate() {
        let node = agencies.world.node(index);
        node.load(&deal.datasets[index], &list.map, &list.csv)
            .await
            .unwrap();
    }
    let round = agencies.request(&deal);
    let propose = RoundPropose { round };
    let requester = agencies.requester();
    let refused = requester.as_analyst(&propose).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Refused, "{refused}");
    let recorded = entries(requester, "round.refused").await.unwrap();
    let [entry] = recorded.as_slice() else {
        panic!("{} entries", recorded.len());
    };
    let detail = &entry["detail"];
    assert_eq!(detail["rule"], "synthetic", "{entry}");
    assert!(
        detail["clause"]
            .as_str()
            .is_some_and(|clause| !clause.is_empty()),
        "{entry}"
    );

    // The own list is synthetic: the responder, too, looks at its own.
    let own = synthetic(&lists[0]);
    requester
        .load(&deal.datasets[0], &own.map, &own.csv)
        .await
        .unwrap();
    let proposed = requester.as_analyst(&propose).await.unwrap();
    let ended = |round: &RoundView| round.state == "ended";
    requester
        .wait_for_round(&proposed.id, STEP_WITHIN, ended)
        .await
        .unwrap();
    let recorded = entries(agencies.responder(), "round.refused")
        .await
        .unwrap();
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0]["detail"]["rule"], "synthetic");

    let known = synthetic(&lists[1]);
    agencies
        .responder()
        .load(&deal.datasets[1], &known.map, &known.csv)
        .await
        .unwrap();
    let asked = agencies.ask(&deal).await.unwrap();
    let released = agencies.release_all(&asked).await.unwrap();
    assert_eq!(released.len(), 1);
    assert_eq!(agencies.answer(&asked).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn subjects_outside_the_scope_are_left_out_on_both_sides_and_counted_at_home() {
    let deal = deal(&[("nationalities_out = []", "nationalities_out = [\"FR\"]")]);
    let agencies = Agencies::two().await.unwrap();
    let asked = list(
        "a",
        &[("AB1", "GB"), ("AB2", "FR"), ("AB3", "GB"), ("AB4", "FR")],
    );
    let known = list(
        "k",
        &[("AB1", "GB"), ("AB2", "RS"), ("AB3", "FR"), ("AB5", "RS")],
    );
    agencies.prepare(&deal, [&asked, &known]).await.unwrap();
    let plan = RoundPlan {
        round: agencies.request(&deal),
    };
    let plan = agencies.requester().as_analyst(&plan).await.unwrap();
    assert_eq!(plan.subjects, 2);
    assert_eq!(plan.excluded, [("nationalities_out".to_owned(), 2)]);
    assert_eq!(plan.match_keys, [("number".to_owned(), 2)]);

    let asked = agencies.ask(&deal).await.unwrap();
    let waiting = agencies.waiting(&asked).await.unwrap();
    assert_eq!(
        waiting.len(),
        1,
        "AB2 is left out by the requester, AB3 by the responder"
    );
    let page = agencies.page(&waiting[0].item).await.unwrap();
    let own = page
        .own_record
        .iter()
        .find(|field| field.field == "national_id");
    assert_eq!(own.unwrap().values, ["AB1"]);
    for (node, count) in [(agencies.requester(), 2), (agencies.responder(), 1)] {
        let terms = entries(node, "round.terms").await.unwrap();
        assert_eq!(terms[0]["detail"]["excluded_nationalities_out"], count);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_waits_for_the_second_officer_where_the_agreement_says_so() {
    let deal = deal(&[("two_person_when = []", "two_person_when = [\"always\"]")]);
    let agencies = Agencies::two().await.unwrap();
    let lists = [list("a", &[("AB1", "GB")]), list("k", &[("AB1", "RS")])];
    agencies
        .prepare(&deal, [&lists[0], &lists[1]])
        .await
        .unwrap();
    let asked = agencies.ask(&deal).await.unwrap();
    let hit = agencies.waiting(&asked).await.unwrap().remove(0).item;
    let page = agencies.page(&hit).await.unwrap();
    assert_eq!(
        page.entry.flags,
        ["a second officer releases, too: always (always)"]
    );
    let first = agencies.release(&hit, &[]).await.unwrap();
    assert_eq!(first.decision, "released by the first officer");
    assert!(first.effect[0].contains("(always)"), "{:?}", first.effect);
    let again = agencies.release(&hit, &[]).await.unwrap_err();
    assert_eq!(again.code, ErrorCode::OwnProposal);
    let second = ReviewRelease {
        hit: hit.clone(),
        reason: "seen, too".to_owned(),
        drop: Vec::new(),
    };
    let done = agencies
        .responder()
        .call("q.officer", &second)
        .await
        .unwrap();
    assert_eq!(done.decision, "released");
    assert_eq!(agencies.answer(&asked).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_own_policy_keeps_fields_and_places_back_whatever_was_agreed() {
    let deal = deal(&[]);
    let mut agencies = Agencies::two().await.unwrap();
    let numbers = [("AB1", "GB"), ("AB2", "GB"), ("AB3", "RS")];
    let lists = [list("a", &numbers), list("k", &numbers)];
    agencies
        .prepare(&deal, [&lists[0], &lists[1]])
        .await
        .unwrap();
    let responder = agencies.world.node_mut(1);
    responder.stop().await;
    let path = responder.data_dir().join("node.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let narrower = "[policy]\nforbidden_fields = [\"case_ref\"]\nmax_release = 1\n";
    std::fs::write(&path, config.replace("[policy]\n", narrower)).unwrap();
    responder.restart().await.unwrap();

    let asked = agencies.ask(&deal).await.unwrap();
    let waiting = agencies.waiting(&asked).await.unwrap();
    assert_eq!(waiting.len(), 3);
    let page = agencies.page(&waiting[0].item).await.unwrap();
    assert!(page.forbidden.contains(&"case_ref".to_owned()));
    let leaves: Vec<&str> = page
        .would_leave
        .iter()
        .map(|field| field.field.as_str())
        .collect();
    assert_eq!(leaves, ["national_id"]);
    agencies.release(&waiting[0].item, &[]).await.unwrap();
    let second = agencies.release(&waiting[1].item, &[]).await.unwrap_err();
    assert_eq!(second.code, ErrorCode::NoPlace);
    assert!(second.message.contains("policy.max_release"), "{second}");

    let hits = agencies.answer(&asked).await.unwrap();
    let [hit] = hits.as_slice() else {
        panic!("{} hits", hits.len());
    };
    let released: Vec<&str> = hit
        .released
        .iter()
        .map(|field| field.field.as_str())
        .collect();
    assert_eq!(released, ["national_id"]);
}
