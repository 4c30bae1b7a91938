//! Random rules over random lists with many near-equal values.

use mandorla_linkage::{Field, MatchKeyRule, Strength, Subject, Transform, Transforms};
use mandorla_tests::{Deal, match_key};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};

use crate::{Case, all_hold};

/// Rounds of one run, side by side; a node takes 16 open ones of a peer.
const ROUNDS: usize = 8;
/// Each try at a smaller counterexample is eight rounds.
const SHRINKS_MAX: u32 = 40;

const FIELDS: [Field; 5] = [
    Field::FamilyNames,
    Field::GivenNames,
    Field::Dob,
    Field::NationalId,
    Field::DocumentNumber,
];
/// Spellings of few names, placeholders, and nothing.
const NAMES: [&str; 9] = [
    "Đorđević",
    "DJORDJEVIC",
    "Ђорђевић",
    "Marić Ilić",
    "Ilić-Marić",
    "Marić",
    "N.N.",
    "unknown",
    "",
];
/// Writings of few numbers, placeholders, and nothing.
const NUMBERS: [&str; 8] = ["12-34", "1234", "12 34", "AB 77", "AB77", "77", "000", ""];
const DATES: [&str; 5] = ["1987-03-14", "1987-03-15", "1987-01-01", "1990-05-05", ""];

fn values(field: Field) -> &'static [&'static str] {
    match field {
        Field::Dob => &DATES,
        Field::NationalId | Field::DocumentNumber => &NUMBERS,
        _ => &NAMES,
    }
}

type Row = [&'static str; FIELDS.len()];

fn row() -> impl Strategy<Value = Row> {
    FIELDS.map(|field| select(values(field)))
}

/// Both lists; most values of the second are taken from some row of the first, so that there is something to find.
fn lists() -> impl Strategy<Value = [Vec<Subject>; 2]> {
    let known = (
        0..7_usize,
        row(),
        FIELDS.map(|_| proptest::bool::weighted(0.3)),
    );
    (vec(row(), 1..=7), vec(known, 1..=7)).prop_map(|(asked, known)| {
        let mixed = |(index, other, change): &(usize, Row, [bool; FIELDS.len()])| {
            let row: &Row = &asked[index % asked.len()];
            std::array::from_fn(|field| {
                if change[field] {
                    other[field]
                } else {
                    row[field]
                }
            })
        };
        let known: Vec<Row> = known.iter().map(mixed).collect();
        [subjects("a", &asked), subjects("k", &known)]
    })
}

fn subjects(prefix: &str, rows: &[Row]) -> Vec<Subject> {
    let subject = |(index, row): (usize, &Row)| {
        let filled = FIELDS
            .into_iter()
            .zip(row)
            .filter(|(_, value)| !value.is_empty());
        filled.fold(
            Subject::new(format!("{prefix}{index}")),
            |subject, (field, value)| subject.with(field, *value),
        )
    };
    rows.iter().enumerate().map(subject).collect()
}

/// A rule without its id.
fn rule() -> impl Strategy<Value = MatchKeyRule> {
    let strength = select(vec![Strength::Weak, Strength::Medium, Strength::Strong]);
    let texts = select(vec![
        Transform::Exact,
        Transform::Fold,
        Transform::Digits,
        Transform::SortedTokens,
    ]);
    let dates = select(vec![Transform::Exact, Transform::Digits, Transform::Year]);
    let transforms = FIELDS.map(|field| match field {
        Field::Dob => dates.clone().boxed(),
        _ => texts.clone().boxed(),
    });
    let fields = subsequence(FIELDS.to_vec(), 1..=3).prop_shuffle();
    (fields, transforms, strength, any::<bool>()).prop_map(
        |(fields, transforms, strength, alone)| {
            let of = FIELDS.into_iter().zip(transforms);
            let by_field = of.filter(|(field, _)| fields.contains(field)).collect();
            match_key(
                "?",
                &fields,
                Transforms::PerField(by_field),
                strength,
                alone,
            )
        },
    )
}

fn rules() -> impl Strategy<Value = Vec<MatchKeyRule>> {
    vec(rule(), 1..=4).prop_map(|mut rules| {
        for (index, rule) in rules.iter_mut().enumerate() {
            rule.id = format!("key-{index}");
        }
        if let [only] = rules.as_mut_slice() {
            only.alone = true; // or nothing could be a hit
        }
        rules
    })
}

fn case() -> impl Strategy<Value = (Deal, [Vec<Subject>; 2])> {
    (rules(), 1..=6_u32, lists()).prop_map(|(match_keys, max_pairs, lists)| {
        let deal = Deal {
            match_keys,
            max_pairs,
            item_bytes: 1_024,
            fields_on_match: FIELDS.into_iter().chain([Field::CaseRef]).collect(),
            ..Deal::default()
        };
        (deal, lists)
    })
}

#[test]
fn random_rules_over_random_lists_give_the_hits_of_the_plaintext_join() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 1,
        max_shrink_iters: SHRINKS_MAX,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&vec(case(), ROUNDS), |cases| {
        let cases = cases
            .iter()
            .enumerate()
            .map(|(index, (deal, [asked, known]))| {
                Case::new(&format!("case-{index}"), deal.clone(), asked, known)
            });
        let hits = runtime.block_on(all_hold(cases.collect()));
        eprintln!("hits of each round: {hits:?}");
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
