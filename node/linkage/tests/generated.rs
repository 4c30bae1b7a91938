//! Generated lists: reproducible, and with exactly the truth they state.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of the test functions"
)]

use std::collections::BTreeMap;

use mandorla_linkage::generate::{CANARY_RS, CANARY_UK, Generated, Size, demo_rules, generate};
use mandorla_linkage::{Field, Grade, MapFile, RowLimits, Subject, fold, load_csv, oracle};
use sha2::{Digest, Sha256};

fn lists(generated: &Generated) -> (Vec<Subject>, Vec<Subject>) {
    let load = |csv: &str, map: &str| {
        let map = MapFile::parse(map).unwrap();
        let (subjects, report) = load_csv(csv.as_bytes(), &map, &RowLimits::default())
            .unwrap()
            .collect_subjects()
            .unwrap();
        assert_eq!(report.rejected_rows(), 0, "{report:?}");
        assert_eq!(report.warnings.empty_columns, []);
        assert!(map.synthetic());
        subjects
    };
    (
        load(&generated.uk_csv, &generated.uk_map),
        load(&generated.rs_csv, &generated.rs_map),
    )
}

fn truth(generated: &Generated) -> Vec<(String, String)> {
    let mut lines = generated.truth_csv.lines();
    assert_eq!(lines.next(), Some("left_ref,right_ref,relation"));
    lines
        .map(|line| {
            let [left, right, "same"] = line.split(',').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            (left.to_owned(), right.to_owned())
        })
        .collect()
}

fn found(left: &[Subject], right: &[Subject]) -> Vec<(String, String)> {
    let pairs = oracle::join(&demo_rules(), left, right);
    pairs
        .iter()
        .map(|pair| {
            (
                left[pair.left_index].reference.clone(),
                right[pair.right_index].reference.clone(),
            )
        })
        .collect()
}

#[test]
fn the_truth_is_exactly_what_the_demo_rules_find_for_twenty_seeds() {
    for seed in 0..20 {
        let generated = generate(Size::S, seed);
        let (left, right) = lists(&generated);
        assert_eq!((left.len(), right.len()), (1_000, 1_000));
        let truth = truth(&generated);
        assert_eq!(truth.len(), 40);
        assert_eq!(found(&left, &right), truth, "seed {seed}");
    }
}

#[test]
fn other_sizes_keep_their_truth() {
    for (left_rows, right_rows, overlap) in [
        (0, 0, 0),
        (1, 1, 1),
        (1, 0, 0),
        (30, 30, 30),
        (200, 50, 10),
        (5_000, 3_000, 100),
    ] {
        let generated = generate(
            Size {
                left: left_rows,
                right: right_rows,
                overlap,
            },
            7,
        );
        let (left, right) = match (left_rows, right_rows) {
            (0, _) | (_, 0) => continue,
            _ => {
                let map = |text: &str| MapFile::parse(text).unwrap();
                let load = |csv: &str, map: &MapFile| {
                    load_csv(csv.as_bytes(), map, &RowLimits::default())
                        .unwrap()
                        .collect_subjects()
                        .unwrap()
                        .0
                };
                (
                    load(&generated.uk_csv, &map(&generated.uk_map)),
                    load(&generated.rs_csv, &map(&generated.rs_map)),
                )
            }
        };
        assert_eq!((left.len(), right.len()), (left_rows, right_rows));
        assert_eq!(truth(&generated).len(), overlap);
        assert_eq!(found(&left, &right), truth(&generated));
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let generated = generate(Size::S, 42);
    assert_eq!(generate(Size::S, 42), generated);
    assert_ne!(generate(Size::S, 43).uk_csv, generated.uk_csv);
}

/// Golden digest: a change here means that `GENERATOR_VERSION` must be raised.
#[test]
fn the_bytes_of_this_generator_version_are_pinned() {
    let generated = generate(Size::S, 42);
    let mut digest = Sha256::new();
    for file in [
        &generated.uk_csv,
        &generated.uk_map,
        &generated.rs_csv,
        &generated.rs_map,
        &generated.truth_csv,
    ] {
        digest.update(file);
    }
    let digest = format!("{:02x?}", digest.finalize().as_slice()).replace(['[', ']', ',', ' '], "");
    assert_eq!(
        digest,
        "149b7d265cd469dd9a64330fb81df23128cc37bc24acd427a1e8341d5328136c"
    );
}

#[test]
fn true_pairs_have_every_grade_that_the_demo_rules_can_give() {
    let (left, right) = lists(&generate(Size::S, 1));
    let mut grades: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, grade) in oracle::join_graded(&demo_rules(), &left, &right) {
        *grades.entry(grade.name()).or_default() += 1;
    }
    for grade in [
        Grade::Identity,
        Grade::Strong,
        Grade::Probable,
        Grade::Conflict,
    ] {
        assert!(
            grades.get(grade.name()).copied().unwrap_or(0) >= 4,
            "{grade}: {grades:?}"
        );
    }
}

#[test]
fn canaries_stand_only_in_rows_without_a_counterpart() {
    let generated = generate(Size::S, 3);
    let truth = truth(&generated);
    for (table, canary, other) in [
        (&generated.uk_csv, CANARY_UK, &generated.rs_csv),
        (&generated.rs_csv, CANARY_RS, &generated.uk_csv),
    ] {
        assert!(!other.contains(canary) && !generated.truth_csv.contains(canary));
        let rows: Vec<&str> = table.lines().filter(|line| line.contains(canary)).collect();
        assert!(rows.len() > 50, "{}", rows.len());
        for row in rows {
            let reference = row.split(',').next().unwrap();
            assert!(
                truth
                    .iter()
                    .all(|(left, right)| left != reference && right != reference),
                "{row}"
            );
        }
    }
}

#[test]
fn some_rows_of_one_list_only_carry_an_exclusion_and_every_number_has_a_type() {
    let generated = generate(Size::S, 3);
    let truth = truth(&generated);
    let (left, right) = lists(&generated);
    let mut words = std::collections::BTreeSet::new();
    for (list, side) in [(&left, 0), (&right, 1)] {
        let flagged: Vec<&Subject> = list
            .iter()
            .filter(|subject| !subject.exclusions.is_empty())
            .collect();
        assert!((15..100).contains(&flagged.len()), "{}", flagged.len());
        for subject in flagged {
            words.extend(subject.exclusions.iter().copied());
            let on_both = truth
                .iter()
                .any(|(left, right)| [left, right][side] == &subject.reference);
            assert!(!on_both, "{}", subject.reference);
        }
        for subject in list {
            let number = subject.values_of(Field::NationalId);
            let of_type = subject.values_of(Field::NationalIdType);
            assert_eq!(number.is_empty(), of_type.is_empty());
        }
    }
    assert_eq!(words.len(), 3, "{words:?}");
}

#[test]
fn look_alikes_and_placeholders_are_really_there() {
    let (left, right) = lists(&generate(Size::S, 5));
    let value = |subject: &Subject, field| {
        subject
            .values_of(field)
            .first()
            .cloned()
            .unwrap_or_default()
    };
    let name = |subject: &Subject| {
        (
            fold(&value(subject, Field::FamilyNames)),
            fold(&value(subject, Field::GivenNames)),
        )
    };
    let matched = found(&left, &right);
    let facts = |list: &[Subject]| -> Vec<_> {
        let number = |subject| value(subject, Field::DocumentNumber);
        list.iter()
            .map(|subject| (name(subject), value(subject, Field::Dob), number(subject)))
            .collect()
    };
    let (own_facts, other_facts) = (facts(&left), facts(&right));
    let (mut namesakes, mut default_dates, mut twins, mut numbers) = (0, 0, 0, 0);
    for (own, (name, born, number)) in left.iter().zip(&own_facts) {
        for (other, (other_name, other_born, other_number)) in right.iter().zip(&other_facts) {
            let same_number = !number.is_empty() && number == other_number;
            if !same_number && name.0 != other_name.0
                || matched.contains(&(own.reference.clone(), other.reference.clone()))
            {
                continue;
            }
            let (same_name, same_day) = (name == other_name, born == other_born);
            let default_date = born.ends_with("-01-01");
            namesakes += usize::from(same_name && !same_day);
            default_dates += usize::from(same_name && same_day && default_date);
            twins += usize::from(name.0 == other_name.0 && same_day && !default_date);
            numbers += usize::from(same_number);
        }
    }
    for (what, count) in [
        ("namesakes", namesakes),
        ("1 January", default_dates),
        ("twins", twins),
        ("numbers", numbers),
    ] {
        assert!(count >= 5, "{what}: {count}");
    }
    let cyrillic = right
        .iter()
        .filter(|subject| !value(subject, Field::FamilyNames).is_ascii())
        .count();
    assert!(cyrillic > 300, "{cyrillic}");
}
