//! FEBRL data set 4 through two real nodes: every hit of the plaintext join, pair for pair, and no other.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use mandorla_cli::world::{TRIAL_USERS, value_of};
use mandorla_control::ReviewRelease;
use mandorla_linkage::{Field, LinkageRules, Strength, Transform, Transforms};
use mandorla_tests::{Agencies, Deal, Joined, List, expected, found, key_types, match_key};
use tokio::task::JoinSet;

/// Two releases under way keep the node busy while a reply travels; more would only wait for the same store.
const RELEASES_AT_ONCE: usize = 2;
/// The releases take less than half of this on two cores shared with another test.
const SLOT_S: u64 = 70;
/// Hits whose whole page is compared; each page is also a ledger entry.
const PAGES_COMPARED: usize = 100;

fn list(name: &str) -> List {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/febrl4");
    let read =
        |name: &str| std::fs::read_to_string(directory.join(name)).expect("a file of the data set");
    // The reference stands in a second field, which may be released.
    let map = read("map.toml").replace("[columns]\n", "[columns]\ncase_ref = \"rec_id\"\n");
    List::read(read(name), map)
}

fn deal() -> Deal {
    let number = match_key(
        "national-id",
        &[Field::NationalId],
        Transforms::All(Transform::Exact),
        Strength::Strong,
        true,
    );
    let name = [Field::FamilyNames, Field::GivenNames, Field::Dob];
    let name = match_key(
        "name-dob",
        &name,
        Transforms::All(Transform::Fold),
        Strength::Medium,
        true,
    );
    Deal {
        id: "GB-RS-febrl".to_owned(),
        match_keys: vec![number, name],
        slots_s: vec![SLOT_S],
        max_release: 10_000,
        item_bytes: 400,
        fields_on_match: vec![
            Field::CaseRef,
            Field::NationalId,
            Field::FamilyNames,
            Field::GivenNames,
            Field::Dob,
        ],
        ..Deal::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hits_of_five_thousand_by_five_thousand_are_those_of_the_plaintext_join() {
    let [asked_about, known] = ["dataset4a.csv", "dataset4b.csv"].map(list);
    let deal = deal();
    let rules = deal.rules();
    let joined = expected(
        &rules,
        &asked_about.subjects,
        &known.subjects,
        deal.max_pairs,
    );
    assert!(
        joined.len() > 4_000,
        "{} pairs: the data set has 5,000",
        joined.len()
    );

    let agencies = Agencies::two().await.unwrap();
    agencies
        .prepare(&deal, [&asked_about, &known])
        .await
        .unwrap();
    let started = Instant::now();
    let asked = agencies.ask(&deal).await.unwrap();
    eprintln!(
        "question and match: {:.1} s",
        started.elapsed().as_secs_f64()
    );

    let waiting: BTreeSet<String> = agencies
        .waiting(&asked)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| entry.item)
        .collect();
    assert_eq!(waiting.len(), joined.len());
    pages_say_what_the_join_says(&agencies, &rules, &waiting, &joined).await;

    let started = Instant::now();
    release(&agencies, &waiting).await;
    let millis = started.elapsed().as_millis().max(1);
    let a_second = waiting.len() as u128 * 1_000 / millis;
    eprintln!(
        "{} releases in {millis} ms, {a_second} a second",
        waiting.len()
    );

    let hits = agencies.answer(&asked).await.unwrap();
    let ids: BTreeSet<String> = hits.iter().map(|hit| hit.id.clone()).collect();
    assert_eq!(ids, waiting, "the same hits on both sides");
    assert_eq!(hits.len(), joined.len());
    assert_eq!(found(&rules, &hits), joined);
}

/// The pages of some hits show the own subject and the match keys that the join has for one of its pairs.
async fn pages_say_what_the_join_says(
    agencies: &Agencies,
    rules: &LinkageRules,
    waiting: &BTreeSet<String>,
    joined: &BTreeMap<(String, String), Joined>,
) {
    for hit in waiting.iter().take(PAGES_COMPARED) {
        let page = agencies.page(hit).await.unwrap();
        let own = value_of(&page.own_record, Field::CaseRef.name()).unwrap();
        let lines = page
            .evidence
            .iter()
            .filter(|line| !line.contains("it differs"));
        let agreed = key_types(
            rules,
            lines.filter_map(|line| Some(line.split_once(':')?.0)),
        );
        let said = |((_, right), pair): (&(String, String), &Joined)| {
            right == own
                && pair.agreed == agreed
                && Some(pair.grade.name()) == page.entry.grade.as_deref()
        };
        assert!(
            joined.iter().any(said),
            "{hit} shows a pair that the join does not have"
        );
    }
}

async fn release(agencies: &Agencies, hits: &BTreeSet<String>) {
    let (officer, _) = TRIAL_USERS[2];
    let mut under_way = JoinSet::new();
    for hit in hits {
        if under_way.len() == RELEASES_AT_ONCE {
            under_way.join_next().await.unwrap().unwrap();
        }
        let client = agencies.responder().client(officer);
        let release = ReviewRelease {
            hit: hit.clone(),
            reason: "known subject".to_owned(),
            drop: Vec::new(),
        };
        under_way.spawn(async move {
            let decided = client.call(&release).await.unwrap();
            assert_eq!(decided.decision, "released");
        });
    }
    while let Some(done) = under_way.join_next().await {
        done.unwrap();
    }
}
