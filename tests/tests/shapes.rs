//! Lists of every shape through two real nodes, each compared with the plaintext join.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::sync::Arc;

use mandorla_control::{ErrorCode, RoundPropose};
use mandorla_linkage::{Field, Strength, Subject, Transform, Transforms};
use mandorla_tests::{Agencies, Deal, List, expected, found, match_key, number_key};
use tokio::task::JoinSet;

mod shapes {
    pub(super) mod random;
}

/// Rounds at once between two nodes keep each other waiting for some seconds; decisions have to come before this.
const SLOT_S: u64 = 12;

/// An agreement and two lists.
#[derive(Clone, Debug)]
struct Case {
    name: String,
    deal: Deal,
    lists: [List; 2],
}

impl Case {
    fn new(name: &str, deal: Deal, asked: &[Subject], known: &[Subject]) -> Self {
        Self {
            name: name.to_owned(),
            deal: Deal {
                id: name.to_owned(),
                datasets: [format!("{name}-asked"), format!("{name}-known")],
                slots_s: vec![SLOT_S],
                ..deal
            },
            lists: [List::of(asked), List::of(known)],
        }
    }

    /// Every hit is released; what arrives must be what the join finds.
    async fn holds(self, agencies: Arc<Agencies>) -> usize {
        let [asked, known] = &self.lists;
        let rules = self.deal.rules();
        let joined = expected(
            &rules,
            &asked.subjects,
            &known.subjects,
            self.deal.max_pairs,
        );
        let round = agencies.ask(&self.deal).await.unwrap();
        let released = agencies.release_all(&round).await.unwrap();
        assert_eq!(
            released.len(),
            joined.len(),
            "{}: hits at the responder",
            self.name
        );
        let hits = agencies.answer(&round).await.unwrap();
        assert_eq!(
            found(&rules, &hits),
            joined,
            "{}: {:?}",
            self.name,
            self.deal.match_keys
        );
        joined.len()
    }
}

/// Prepares all cases in one world and runs their rounds side by side; returns the hits of each.
async fn all_hold(cases: Vec<Case>) -> Vec<usize> {
    let agencies = Arc::new(Agencies::two().await.unwrap());
    let mut rounds = JoinSet::new();
    for (index, case) in cases.iter().enumerate() {
        let [asked, known] = &case.lists;
        agencies.prepare(&case.deal, [asked, known]).await.unwrap();
        let (case, agencies) = (case.clone(), Arc::clone(&agencies));
        rounds.spawn(async move { (index, case.holds(agencies).await) });
    }
    let mut hits = vec![0; cases.len()];
    while let Some(done) = rounds.join_next().await {
        let (index, count) = done.unwrap();
        hits[index] = count;
    }
    hits
}

fn by_number() -> Deal {
    Deal {
        match_keys: vec![number_key()],
        fields_on_match: vec![Field::CaseRef, Field::NationalId],
        min_set: 0,
        ..Deal::default()
    }
}

/// Subjects with these national numbers, in order.
fn numbered(prefix: &str, numbers: impl IntoIterator<Item = u64>) -> Vec<Subject> {
    let subject = |(index, number): (usize, u64)| {
        Subject::new(format!("{prefix}{index}")).with(Field::NationalId, format!("AB{number}"))
    };
    numbers.into_iter().enumerate().map(subject).collect()
}

/// Subjects without any match key: a side that brings people and no keys.
fn keyless(prefix: &str, count: usize) -> Vec<Subject> {
    let subject = |index| Subject::new(format!("{prefix}{index}")).with(Field::Sex, "F");
    (0..count).map(subject).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_single_and_full_overlaps_give_the_hits_of_the_plaintext_join() {
    let asked = |numbers: std::ops::Range<u64>| numbered("a", numbers);
    let known = |numbers: std::ops::Range<u64>| numbered("k", numbers);
    these_hold(vec![
        ("none-asked", Vec::new(), known(0..5), 0),
        ("none-known", asked(0..5), Vec::new(), 0),
        ("nobody-at-all", Vec::new(), Vec::new(), 0),
        ("no-keys-asked", keyless("a", 3), known(0..5), 0),
        ("no-keys-known", asked(0..5), keyless("k", 3), 0),
        ("one-hit", asked(3..4), known(3..4), 1),
        ("one-stranger", asked(3..4), known(4..5), 0),
        ("full-overlap", asked(0..40), known(0..40), 40),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subjects_that_share_a_key_give_the_hits_of_the_plaintext_join() {
    // Everybody shares one key, and two others share another.
    let asked = |count| numbered("a", std::iter::repeat_n(1, count).chain([7]));
    let known = || numbered("k", [1, 1, 1, 1, 1, 7]);
    these_hold(vec![
        ("at-max-pairs", asked(8), known(), 41),
        ("above-max-pairs", asked(9), known(), 1),
        (
            "twice-asked",
            numbered("a", [5, 5, 6]),
            numbered("k", [5, 9]),
            2,
        ),
        (
            "twice-known",
            numbered("a", [5, 6]),
            numbered("k", [5, 5, 9]),
            2,
        ),
    ])
    .await;
}

/// Names, lists and hits; the numbers of hits are written down, so that the join is held to them as well.
async fn these_hold(cases: Vec<(&str, Vec<Subject>, Vec<Subject>, usize)>) {
    let (cases, wanted): (Vec<_>, Vec<_>) = cases
        .into_iter()
        .map(|(name, asked, known, hits)| (Case::new(name, by_number(), &asked, &known), hits))
        .unzip();
    assert_eq!(all_hold(cases).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_match_keys_of_one_subject_all_agree() {
    let fields = [
        Field::GivenNames,
        Field::FamilyNames,
        Field::FullName,
        Field::ParentName,
        Field::PlaceOfBirth,
        Field::NationalId,
        Field::DocumentNumber,
    ];
    let pairs = fields
        .iter()
        .enumerate()
        .flat_map(|(index, left)| fields[index + 1..].iter().map(move |right| [*left, *right]));
    let match_keys: Vec<_> = pairs
        .take(20)
        .enumerate()
        .map(|(index, fields)| {
            let transform = Transforms::All(Transform::Fold);
            match_key(
                &format!("pair-{index}"),
                &fields,
                transform,
                Strength::Weak,
                false,
            )
        })
        .collect();
    assert_eq!(match_keys.len(), 20);
    let deal = Deal {
        match_keys,
        item_bytes: 4_096,
        fields_on_match: fields.into_iter().chain([Field::CaseRef]).collect(),
        ..Deal::default()
    };
    let subject = |reference: &str, own_from: usize| {
        let start = Subject::new(reference);
        (0..).zip(fields).fold(start, |subject, (place, field)| {
            let word = if place < own_from { "value" } else { "other" };
            subject.with(field, format!("{word} {field}"))
        })
    };
    // The second agrees in two fields only, so in one of the twenty match keys: no hit.
    let [asked, same, other] = [("a1", 7), ("k1", 7), ("k2", 2)].map(|(name, n)| subject(name, n));
    let case = Case::new("twenty", deal, &[asked], &[same, other]);
    assert_eq!(all_hold(vec![case]).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_which_no_row_can_be_read_is_no_dataset() {
    let agencies = Agencies::two().await.unwrap();
    let deal = by_number();
    agencies.agree(&deal).await.unwrap();
    let map = List::of(&numbered("k", 0..5)).map;
    let unreadable = "reference,national_id\n,AB1\n,AB2\n";
    let node = agencies.requester();
    let refused = node
        .load(&deal.datasets[0], &map, unreadable)
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::BadFile, "{refused}");
    let round = agencies.request(&deal);
    let none = node.as_analyst(&RoundPropose { round }).await.unwrap_err();
    assert_eq!(none.code, ErrorCode::NotFound, "{none}");
}
