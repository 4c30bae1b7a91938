//! Laws, on random input.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of the test functions"
)]

use std::collections::BTreeSet;

use mandorla_linkage::{
    DefaultDob, Field, LinkageRules, MATCH_KEYS_PER_SUBJECT_MAX, MatchKeyRule, Strength, Subject,
    Transform, Transforms, fold, grade, key_types_present, oracle,
};
use proptest::prelude::*;

/// Text rich in what the fold has to do with: digraphs, doubles, both scripts, marks.
fn name_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[DJZSCHKWYVN]{0,12}",
        "[a-zA-Z '-]{0,12}",
        "[А-Яа-яЂЉЊЋЏђљњћџјЈ ]{0,10}",
        "[ĐđŠšČčĆćŽžß\u{301}\u{30c}łæ0-9 ]{0,10}",
        "\\PC{0,10}",
    ]
}

fn rule(
    id: &str,
    fields: &[Field],
    transform: Transform,
    strength: Strength,
    alone: bool,
) -> MatchKeyRule {
    MatchKeyRule {
        id: id.to_owned(),
        fields: fields.to_vec(),
        transform: Transforms::All(transform),
        strength,
        alone,
        bits: None,
    }
}

fn rules() -> LinkageRules {
    let match_keys = vec![
        rule(
            "id",
            &[Field::NationalId],
            Transform::Digits,
            Strength::Strong,
            true,
        ),
        rule(
            "names",
            &[Field::FamilyNames, Field::GivenNames],
            Transform::Fold,
            Strength::Medium,
            false,
        ),
        rule(
            "born",
            &[Field::Dob, Field::Sex],
            Transform::Exact,
            Strength::Weak,
            false,
        ),
        rule(
            "tokens",
            &[Field::FullName],
            Transform::SortedTokens,
            Strength::Medium,
            true,
        ),
    ];
    LinkageRules::new("plain-1", DefaultDob::Missing, match_keys).unwrap()
}

/// Few values, so that small lists agree often.
fn small_list() -> impl Strategy<Value = Vec<Vec<(u8, u8)>>> {
    prop::collection::vec(prop::collection::vec((0..6_u8, 0..4_u8), 0..8), 0..25)
}

fn subjects(list: &[Vec<(u8, u8)>]) -> Vec<Subject> {
    let fields = [
        (Field::NationalId, ["1", "22", "333", "0000"]),
        (Field::FamilyNames, ["Đurić", "Djuric", "Savić", "UNKNOWN"]),
        (Field::GivenNames, ["Ana", "Anna", "Јован", "Milan"]),
        (
            Field::Dob,
            ["1990-01-01", "1990-03-05", "1991-03-05", "1992-01-01"],
        ),
        (Field::Sex, ["F", "M", "F", "M"]),
        (
            Field::FullName,
            ["Ana Savić", "Savic Ana", "Milan", "Đurić-Savić Ana"],
        ),
    ];
    list.iter()
        .enumerate()
        .map(|(index, values)| {
            values.iter().fold(
                Subject::new(index.to_string()),
                |subject, (field, value)| {
                    let (field, texts) = fields[usize::from(*field)];
                    subject.with(field, texts[usize::from(*value)])
                },
            )
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn fold_is_idempotent_and_stays_in_its_alphabet(text in name_text()) {
        if let Some(folded) = fold(&text) {
            prop_assert!(folded.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()), "{}", folded);
            prop_assert_eq!(fold(&folded), Some(folded));
        }
    }

    #[test]
    fn fold_does_not_see_case_normal_form_or_spaces(text in "[A-Za-zĐđŠšČčĆćŽžА-Яа-яЂђ ]{1,12}") {
        use unicode_normalization::UnicodeNormalization;
        let expected = fold(&text);
        prop_assert_eq!(fold(&text.to_uppercase()), expected.clone());
        prop_assert_eq!(fold(&text.to_lowercase()), expected.clone());
        prop_assert_eq!(fold(&text.nfd().collect::<String>()), expected.clone());
        prop_assert_eq!(fold(&text.replace(' ', "")), expected);
    }

    #[test]
    fn subjects_survive_their_stored_forms(
        reference in "\\PC{0,12}",
        values in prop::collection::vec((0..25_u8, "\\PC{0,12}"), 0..12),
    ) {
        let subject = values.iter().fold(Subject::new(reference), |subject, (code, value)| {
            subject.with(Field::from_code(*code).unwrap(), value.clone())
        });
        prop_assert!(Subject::from_bytes(&subject.to_bytes()).unwrap() == subject);
        let json = serde_json::to_string(&subject).unwrap();
        prop_assert!(serde_json::from_str::<Subject>(&json).unwrap() == subject);
    }

    #[test]
    fn stored_bytes_that_are_read_are_written_back_the_same(bytes in prop::collection::vec(0..4_u8, 0..40)) {
        if let Ok(subject) = Subject::from_bytes(&bytes) {
            prop_assert_eq!(subject.to_bytes(), bytes);
        }
    }

    #[test]
    fn join_equals_comparing_everybody_with_everybody(left in small_list(), right in small_list()) {
        let rules = rules();
        let (left, right) = (subjects(&left), subjects(&right));
        let mut expected = Vec::new();
        for (left_index, own) in left.iter().enumerate() {
            let own = rules.match_keys(own);
            for (right_index, other) in right.iter().enumerate() {
                let other = rules.match_keys(other);
                let agreed = own.iter().filter(|key| other.contains(key)).fold(0, |mask, key| mask | 1 << key.key_type);
                if grade(&rules, agreed, key_types_present(&own), key_types_present(&other)).is_some() {
                    expected.push(oracle::OraclePair { left_index, right_index, agreed });
                }
            }
        }
        prop_assert_eq!(oracle::join(&rules, &left, &right), expected);
    }

    #[test]
    fn match_keys_are_distinct_ordered_and_capped(list in prop::collection::vec(
        prop::collection::vec((0..4_usize, "[a-k]{1,2}"), 0..60), 1..3)
    ) {
        let fields = [Field::NationalId, Field::FamilyNames, Field::GivenNames, Field::Sex];
        let match_keys = vec![
            rule("a", &fields, Transform::Exact, Strength::Medium, true),
            rule("b", &fields[1..3], Transform::Fold, Strength::Weak, true),
            rule("c", &fields[..1], Transform::Fold, Strength::Weak, true),
        ];
        let rules = LinkageRules::new("plain-1", DefaultDob::Keep, match_keys).unwrap();
        for values in list {
            let subject = values.iter().fold(Subject::new("r"), |subject, (field, value)| subject.with(fields[*field], value.clone()));
            let derived = rules.derive_keys(&subject);
            let distinct: BTreeSet<_> = derived.keys.iter().collect();
            prop_assert_eq!(distinct.len(), derived.keys.len());
            prop_assert!(derived.keys.is_sorted_by_key(|key| key.key_type));
            prop_assert!(derived.keys.len() <= MATCH_KEYS_PER_SUBJECT_MAX);
            prop_assert!(derived.cut_count == 0 || derived.keys.len() == MATCH_KEYS_PER_SUBJECT_MAX);
            // The limit never removes a key type altogether.
            let expected = rules.match_key_rules().iter().enumerate().filter(|(_, rule)| {
                rule.fields.iter().all(|field| !subject.values_of(*field).is_empty())
            }).count();
            prop_assert_eq!(key_types_present(&derived.keys).count_ones() as usize, expected);
        }
    }
}
