//! Linkage rules: their TOML, their hash, the match keys and the grades.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of the test functions"
)]

use mandorla_linkage::generate::demo_rules;
use mandorla_linkage::{
    DefaultDob, Field, Grade, LinkageRules, MATCH_KEYS_PER_SUBJECT_MAX, MatchKeyRule, Strength,
    Subject, Transform, explain, grade,
};

fn parse(text: &str) -> Result<LinkageRules, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

const SAMPLE: &str = r#"
profile = "plain-1"
default_dob = "missing"

[[match_key]]
id = "national-id"
fields = ["national_id"]
strength = "strong"
alone = true
bits = 23

[[match_key]]
id = "name-dob"
fields = ["family_names", "given_names", "dob"]
transform = { family_names = "fold", given_names = "fold", dob = "exact" }
strength = "medium"
alone = true

[[match_key]]
id = "name-year"
fields = ["full_name", "dob"]
transform = { full_name = "sorted-tokens", dob = "year" }
strength = "weak"

[[match_key]]
id = "phone"
fields = ["phone"]
transform = "digits"
strength = "weak"
"#;

#[test]
fn the_toml_of_an_agreement_is_read_and_written_back() {
    let rules = parse(SAMPLE).unwrap();
    let [national_id, name_dob, name_year, phone] = rules.match_key_rules() else {
        panic!("four rules")
    };
    assert_eq!(
        national_id.transform.of(Field::NationalId),
        Transform::Exact
    );
    assert_eq!(
        (national_id.alone, national_id.bits, national_id.strength),
        (true, Some(23), Strength::Strong)
    );
    assert_eq!(name_dob.transform.of(Field::GivenNames), Transform::Fold);
    assert_eq!(name_dob.transform.of(Field::Dob), Transform::Exact);
    assert_eq!(name_year.transform.of(Field::Dob), Transform::Year);
    assert!(!phone.alone && phone.bits.is_none());
    let written = toml::to_string(&rules).unwrap();
    assert_eq!(parse(&written).unwrap(), rules, "{written}");
}

#[test]
fn each_fault_of_linkage_rules_is_named() {
    let entry = |text: &str| format!("profile = \"plain-1\"\n[[match_key]]\n{text}");
    let rule = |text: &str| entry(&format!("strength = \"weak\"\nalone = true\n{text}"));
    let twice = rule(
        "id = \"a\"\nfields = [\"sex\"]\n[[match_key]]\nid = \"a\"\nfields = [\"dob\"]\nstrength = \"weak\"",
    );
    for (text, expected) in [
        (
            SAMPLE.replace("plain-1", "phonetic-1"),
            "unknown linkage profile \"phonetic-1\"",
        ),
        (rule("id = \"A\"\nfields = [\"sex\"]"), "match key id \"A\""),
        (rule("id = \"\"\nfields = [\"sex\"]"), "match key id \"\""),
        (
            rule(&format!("id = \"{}\"\nfields = [\"sex\"]", "a".repeat(33))),
            "match key id",
        ),
        (twice, "used twice"),
        (rule("id = \"a\"\nfields = []"), "has 0 fields"),
        (rule("id = \"a\"\nfields = [\"ref\"]"), "uses `ref`"),
        (
            rule("id = \"a\"\nfields = [\"sex\", \"sex\"]"),
            "names `sex` twice",
        ),
        (
            rule("id = \"a\"\nfields = [\"surname\"]"),
            "did you mean `family_names`",
        ),
        (
            rule("id = \"a\"\nfields = [\"sex\"]\ntransform = \"year\""),
            "not to `sex`",
        ),
        (
            rule("id = \"a\"\nfields = [\"sex\"]\ntransform = \"folded\""),
            "folded",
        ),
        (
            rule("id = \"a\"\nfields = [\"sex\"]\ntransform = { dob = \"fold\" }"),
            "transform for `dob`",
        ),
        (
            rule("id = \"a\"\nfields = [\"sex\"]\ntransform = { born = \"fold\" }"),
            "unknown field `born`",
        ),
        (
            rule("id = \"a\"\nfields = [\"sex\"]\ntransform = 3"),
            "a transform, or a table",
        ),
        (rule("id = \"a\"\nfields = [\"sex\"]\nweight = 3"), "weight"),
        (
            entry("id = \"a\"\nfields = [\"sex\"]\nstrength = \"weak\""),
            "nothing could ever be a hit",
        ),
        (entry("id = \"a\"\nfields = [\"sex\"]"), "strength"),
        (
            "profile = \"plain-1\"\nmatch_key = []".to_owned(),
            "0 match keys",
        ),
        (format!("{SAMPLE}\n[extra]"), "extra"),
    ] {
        let error = parse(&text).expect_err(&text);
        assert!(error.contains(expected), "{text}\n{error}");
    }
    let many: Vec<MatchKeyRule> = (0..33)
        .map(|number| MatchKeyRule {
            id: format!("k{number}"),
            ..parse(SAMPLE).unwrap().match_key_rules()[0].clone()
        })
        .collect();
    assert!(LinkageRules::new("plain-1", DefaultDob::Keep, many[..32].to_vec()).is_ok());
    assert!(LinkageRules::new("plain-1", DefaultDob::Keep, many).is_err());
}

#[test]
fn the_hash_covers_every_part_and_no_notation() {
    let base = parse(SAMPLE).unwrap().hash();
    for (from, to) in [
        ("default_dob = \"missing\"", "default_dob = \"keep\""),
        ("id = \"phone\"", "id = \"phones\""),
        (
            "\"family_names\", \"given_names\", \"dob\"",
            "\"given_names\", \"family_names\", \"dob\"",
        ),
        ("given_names = \"fold\"", "given_names = \"exact\""),
        ("strength = \"medium\"", "strength = \"strong\""),
        ("bits = 23", "bits = 24"),
        ("bits = 23", "bits = 0"),
        ("bits = 23", ""),
        ("alone = true\nbits", "alone = false\nbits"),
        ("transform = \"digits\"", ""),
    ] {
        assert!(SAMPLE.contains(from));
        assert_ne!(
            parse(&SAMPLE.replacen(from, to, 1)).unwrap().hash(),
            base,
            "{from} -> {to:?}"
        );
    }
    for (from, to) in [
        ("default_dob = \"missing\"", ""),
        (", dob = \"exact\"", ""),
        (
            "transform = \"digits\"",
            "transform = { phone = \"digits\" }",
        ),
        ("fields = [\"phone\"]", "fields = [\"phone\"] # a comment"),
    ] {
        assert!(SAMPLE.contains(from));
        assert_eq!(
            parse(&SAMPLE.replacen(from, to, 1)).unwrap().hash(),
            base,
            "{from} -> {to:?}"
        );
    }
    let mut reversed = parse(SAMPLE).unwrap().match_key_rules().to_vec();
    reversed.reverse();
    assert_ne!(
        LinkageRules::new("plain-1", DefaultDob::Missing, reversed)
            .unwrap()
            .hash(),
        base
    );
}

#[test]
fn the_hashed_bytes_are_those_of_the_documented_layout() {
    let rules = parse("profile = \"plain-1\"\n[[match_key]]\nid = \"a\"\nfields = [\"sex\"]\nstrength = \"medium\"\nalone = true\nbits = 258").unwrap();
    let mut expected = b"mandorla/linkage-rules/1\0\x07\0plain-1\x01\0".to_vec();
    for (major, minor, update) in [
        unicode_normalization::UNICODE_VERSION,
        char::UNICODE_VERSION,
    ] {
        expected.extend([major, minor, update]);
    }
    expected.extend(b"\0\x01\0\x01\0a\x01\x01\x01\x02\x01\x01\0\x03\0sex\x05\0exact");
    assert_eq!(rules.to_canonical_bytes(), expected);
}

#[test]
fn a_match_key_is_its_length_prefixed_canonical_values() {
    let subject = Subject::new("r")
        .with(Field::FamilyNames, "Đurić")
        .with(Field::GivenNames, "Анна")
        .with(Field::Dob, "1990-03-05")
        .with(Field::NationalId, " 12  34 ")
        .with(Field::FullName, "Đurić-Savić  ana")
        .with(Field::Phone, "+381 64/123-٤٥");
    let keys = parse(SAMPLE).unwrap().match_keys(&subject);
    let values: Vec<(u8, &[u8])> = keys
        .iter()
        .map(|key| (key.key_type, key.value.as_slice()))
        .collect();
    assert_eq!(
        values,
        [
            (0, b"\x05\x0012 34".as_slice()),
            (1, b"\x05\0DURIC\x03\0ANA\x0a\x001990-03-05"),
            (2, b"\x0f\0ANA DURIC SAVIC\x04\x001990"),
            (3, b"\x0a\x003816412345"),
        ]
    );
}

#[test]
fn a_missing_part_or_a_placeholder_means_no_key() {
    let rules = parse(SAMPLE).unwrap();
    let whole = |family: &str, dob: &str| {
        Subject::new("r")
            .with(Field::FamilyNames, family)
            .with(Field::GivenNames, "Ana")
            .with(Field::Dob, dob)
    };
    assert_eq!(rules.match_keys(&whole("Savić", "1990-03-05")).len(), 1);
    for (family, dob) in [
        ("UNKNOWN", "1990-03-05"),
        ("Непознато", "1990-03-05"),
        ("N.N.", "1990-03-05"),
        ("محمد", "1990-03-05"),
        ("Savić", "1990-01-01"),
        ("Savić", "05.03.1990."),
        ("", "1990-03-05"),
    ] {
        assert_eq!(rules.match_keys(&whole(family, dob)), [], "{family} {dob}");
    }
    assert_eq!(
        rules.match_keys(&Subject::new("r").with(Field::NationalId, "000000000")),
        []
    );
    assert_eq!(
        rules.match_keys(&Subject::new("r").with(Field::Phone, "none")),
        []
    );
    assert_eq!(
        rules.match_keys(
            &Subject::new("r")
                .with(Field::FullName, "FNU Savić")
                .with(Field::Dob, "1990-03-05")
        ),
        []
    );
}

#[test]
fn a_default_birth_date_counts_only_where_the_rules_keep_it_and_for_its_year() {
    let subject = Subject::new("r")
        .with(Field::FamilyNames, "Savić")
        .with(Field::GivenNames, "Ana")
        .with(Field::FullName, "Ana Savić")
        .with(Field::Dob, "1990-01-01");
    let key_types = |text: &str| -> Vec<u8> {
        parse(text)
            .unwrap()
            .match_keys(&subject)
            .iter()
            .map(|key| key.key_type)
            .collect()
    };
    assert_eq!(key_types(SAMPLE), [2]);
    assert_eq!(
        key_types(&SAMPLE.replace("\"missing\"", "\"keep\"")),
        [1, 2]
    );
}

#[test]
fn aliases_multiply_and_the_limit_spares_every_key_type() {
    let mut subject = Subject::new("r")
        .with(Field::Dob, "1990-03-05")
        .with(Field::NationalId, "77");
    for number in 0..10 {
        subject = subject
            .with(Field::FamilyNames, format!("Savić {number}"))
            .with(Field::FamilyNames, format!("SAVIC {number}"))
            .with(Field::GivenNames, format!("Ana {number}"));
    }
    let rules = parse(SAMPLE).unwrap();
    let derived = rules.derive_keys(&subject);
    assert_eq!(derived.keys.len(), MATCH_KEYS_PER_SUBJECT_MAX);
    assert_eq!(derived.cut_count, 101 - 64);
    assert_eq!(derived.keys[0].key_type, 0);
    assert_eq!(
        derived.keys[1].value,
        b"\x06\0SAVIC0\x04\0ANA0\x0a\x001990-03-05"
    );
    assert_eq!(rules.match_keys(&subject), derived.keys);
}

#[test]
fn a_document_number_never_meets_the_state_of_another_document() {
    let rules = parse(
        r#"
        profile = "plain-1"
        [[match_key]]
        id = "passport"
        fields = ["document_state", "document_number"]
        strength = "strong"
        alone = true
        [[match_key]]
        id = "name-passport"
        fields = ["document_number", "family_names", "document_state", "dob"]
        strength = "strong"
        alone = true
        "#,
    );
    let rules = rules.unwrap();
    let subject = Subject::new("r")
        .with_tuple([(Field::FamilyNames, "Savin"), (Field::Dob, "1990-03-05")])
        .with_tuple([(Field::FamilyNames, "Jovin"), (Field::Dob, "1991-04-06")])
        .with_tuple([(Field::DocumentState, "SRB"), (Field::DocumentNumber, "1")])
        .with_tuple([(Field::DocumentState, "TUR"), (Field::DocumentNumber, "2")])
        .with_tuple([(Field::DocumentNumber, "3")])
        .with_tuple([(Field::DocumentState, "AFG")]);
    let derived = rules.derive_keys(&subject);
    let texts: Vec<(u8, String)> = derived
        .keys
        .into_iter()
        .map(|key| {
            let letters = key.value.into_iter().filter(u8::is_ascii_graphic);
            (key.key_type, letters.map(char::from).collect())
        })
        .collect();
    let expected = [
        (0, "SRB1"),
        (0, "TUR2"),
        (1, "1SavinSRB1990-03-05"),
        (1, "2SavinTUR1990-03-05"),
        (1, "1JovinSRB1991-04-06"),
        (1, "2JovinTUR1991-04-06"),
    ];
    let mut found: Vec<(u8, &str)> = texts
        .iter()
        .map(|(key_type, text)| (*key_type, text.as_str()))
        .collect();
    found.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(derived.cut_count, 0);
}

#[test]
fn identities_spelt_alike_give_one_key_and_the_limit_is_reported() {
    let rules = parse(SAMPLE).unwrap();
    let mut subject = Subject::new("r");
    for number in 0..80 {
        for family in ["Savić", "SAVIC"] {
            subject = subject.with_tuple([
                (Field::FamilyNames, family.to_owned()),
                (Field::GivenNames, "Ana".to_owned()),
                (Field::Dob, format!("1990-03-{:02}", 1 + number % 20)),
            ]);
        }
    }
    let derived = rules.derive_keys(&subject);
    assert_eq!((derived.keys.len(), derived.cut_count), (20, 0));
    for year in 1900..2000 {
        subject = subject.with_tuple([
            (Field::FamilyNames, "Savić".to_owned()),
            (Field::GivenNames, "Ana".to_owned()),
            (Field::Dob, format!("{year}-03-06")),
        ]);
    }
    let derived = rules.derive_keys(&subject);
    assert_eq!(derived.keys.len(), MATCH_KEYS_PER_SUBJECT_MAX);
    let not_looked_at = 56; // 1990 among them, which repeats a key
    assert_eq!(derived.cut_count, not_looked_at);
}

#[test]
fn debug_of_a_match_key_discloses_no_value() {
    let keys = demo_rules().match_keys(&Subject::new("r").with(Field::NationalId, "1403987660121"));
    let bytes = format!("{:?}", b"1403987660121");
    let text = format!("{keys:?}");
    assert!(
        text.contains("key_type")
            && !text.contains("1403987660121")
            && !text.contains(&bytes[1..20]),
        "{text}"
    );
}

/// Key types: 0 strong alone · 1 strong · 2 medium alone · 3 medium · 4 weak alone · 5 weak.
fn graded() -> LinkageRules {
    let strengths = [Strength::Strong, Strength::Medium, Strength::Weak];
    let match_keys = (0..6)
        .map(|number| MatchKeyRule {
            id: format!("k{number}"),
            fields: vec![Field::Phone],
            transform: mandorla_linkage::Transforms::default(),
            strength: strengths[number / 2],
            alone: number % 2 == 0,
            bits: None,
        })
        .collect();
    LinkageRules::new("plain-1", DefaultDob::Missing, match_keys).unwrap()
}

#[test]
fn grades_are_those_of_the_table() {
    let rules = graded();
    let all = 0b11_1111;
    for (agreed, own, peer, expected) in [
        (0b00_0000, all, all, None),
        (0b00_0010, 0b00_0010, all, None), // strong but not alone
        (0b00_1000, 0b00_1000, all, None), // medium, not alone
        (0b10_0000, 0b10_0000, all, None), // weak, not alone
        (0b00_0001, 0b00_0001, all, Some(Grade::Strong)),
        (0b00_0011, 0b00_0011, all, Some(Grade::Identity)),
        (0b10_0001, 0b10_0001, all, Some(Grade::Identity)),
        (0b00_0110, 0b00_0110, all, Some(Grade::Identity)),
        (0b00_1100, 0b00_1100, all, Some(Grade::Strong)),
        (0b11_1100, 0b11_1100, all, Some(Grade::Strong)),
        (0b00_0100, 0b00_0100, all, Some(Grade::Probable)),
        (0b10_0100, 0b10_0100, all, Some(Grade::Probable)),
        (0b10_1000, 0b10_1000, all, Some(Grade::Probable)),
        (0b01_0000, 0b01_0000, all, Some(Grade::Lead)),
        (0b11_0000, 0b11_0000, all, Some(Grade::Lead)),
        (0b00_0001, 0b00_0011, all, Some(Grade::Conflict)), // the other strong key differs
        (0b00_0100, 0b00_0101, all, Some(Grade::Conflict)),
        (0b01_0000, all, all, Some(Grade::Conflict)),
        (0b00_0100, 0b00_0101, 0b00_0110, Some(Grade::Probable)), // no strong key that both have
        (0b00_0010, 0b00_0011, all, None),                        // differs, but no hit
        (0b00_0100, 0b00_1100, all, Some(Grade::Probable)), // a medium key that differs is no conflict
        (0b100_0001, 0b00_0001, all, Some(Grade::Strong)),  // bits beyond the rules
    ] {
        assert_eq!(
            grade(&rules, agreed, own, peer),
            expected,
            "{agreed:06b} {own:06b} {peer:06b}"
        );
    }
}

#[test]
fn explanations_name_rules_and_fields_in_words() {
    assert_eq!(
        explain(&demo_rules(), 0b111),
        [
            "national-id: national_id is equal",
            "passport: document_state and document_number are equal",
            "name-dob: family_names and given_names agree after folding; dob is equal",
        ]
    );
    let rules = parse(SAMPLE).unwrap();
    assert_eq!(
        explain(&rules, 0b1100),
        [
            "name-year: full_name agrees after folding, in any order of the words; dob agrees in the year",
            "phone: phone agrees in the digits",
        ]
    );
    assert!(explain(&rules, 0).is_empty());
}
