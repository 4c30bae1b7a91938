use mandorla_agreement::{
    AGREEMENT_BYTES_MAX, Agreement, AgreementError, Exclusion, Severity, TwoPersonWhen, lint,
};
use proptest::prelude::*;

use crate::world::{altered, altered_n, sample_text, signer};

/// Each row: what stands in the sample (first occurrence), what is written instead, the clause that the refusal names.
const MALFORMED: &[(&str, &str, &str)] = &[
    ("schema = 1", "schema = 2", "schema"),
    ("schema = 1", "schema = true", "schema"),
    ("schema = 1", "schema = 1\ncolour = 1", "colour"),
    ("id = \"UK-RS-SAMPLE\"", "id = \"../x\"", "id"),
    ("version = 1", "version = 0", "version"),
    ("# supersedes = \"…\"", "supersedes = \"abc\"", "supersedes"),
    ("title = \"Sample", "title = \"\\u001b[2JSample", "title"),
    ("title = \"Sample", "title = \"\\u202eSample", "title"),
    (
        "not_before = \"2026-12-01T00:00:00Z\"",
        "not_before = \"2026-12-01T00:00:00\"",
        "not_before",
    ),
    (
        "not_before = \"2026-12-01T00:00:00Z\"",
        "not_before = \"2028-12-01\"",
        "expires",
    ),
    (
        "expires = \"2027-12-01T00:00:00Z\"",
        "expires = \"2026-12-05\"",
        "answer.slots",
    ),
    (
        "expires = \"2027-12-01T00:00:00Z\"",
        "expires = 17",
        "expires",
    ),
    ("code = \"UK\"", "code = \"uk\"", "party[0].code"),
    ("code = \"UK\"", "code = \"RS\"", "party.code"),
    ("country = \"GB\"", "country = \"GBR\"", "party[0].country"),
    ("type = \"immigration\"", "type = \"army\"", "party.type"),
    (
        "signing_key = \"",
        "signing_key = \"00",
        "party.signing_key",
    ),
    (
        "name = \"Fictional Border Agency\"",
        "name = \" \"",
        "party[0].name",
    ),
    (
        "supervisory_authority = ",
        "supervisor = ",
        "party.supervisor",
    ),
    ("code = \"OIC-FACILITATION\"", "code = \"\"", "purpose.code"),
    (
        "regime = \"law-enforcement\"",
        "regime = \"both\"",
        "purpose.regime",
    ),
    ("[legal.RS]", "[legal.FR]", "legal.RS"),
    ("transfer_basis = ", "transfer = ", "legal.UK.transfer"),
    (
        "nationalities_in = []",
        "nationalities = []",
        "scope.nationalities",
    ),
    (
        "exclude = [\"asylum_claim\", ",
        "exclude = [\"minors\", ",
        "scope.exclude",
    ),
    (
        "nationalities_in = []",
        "nationalities_in = [\"RS\", \"Serbia\"]",
        "scope.nationalities_in[1]",
    ),
    (
        "nationalities_out = []",
        "nationalities_out = [\"R5\"]",
        "scope.nationalities_out[0]",
    ),
    (
        "two_person_when = [",
        "two_person_when = [\"sometimes\", ",
        "review.UK.two_person_when",
    ),
    ("party = \"RS\"", "party = \"FR\"", "dataset[1].party"),
    ("id = \"registry\"", "id = \"\"", "dataset[1].id"),
    (
        "max_records = 50000",
        "max_records = 0",
        "dataset[0].max_records",
    ),
    (
        "max_records = 50000",
        "max_records = 16777217",
        "dataset[0].max_records",
    ),
    (
        "max_age_days = 30",
        "max_age_days = 0",
        "dataset[0].max_age_days",
    ),
    (
        "required_columns = []",
        "required_columns = [\"shoe_size\"]",
        "dataset.required_columns",
    ),
    (
        "profile = \"plain-1\"",
        "profile = \"plain-0\"",
        "linkage.profile",
    ),
    (
        "default_dob_policy = \"missing\"",
        "default_dob_policy = \"guess\"",
        "linkage.default_dob_policy",
    ),
    ("id = \"document\"", "id = \"national-id\"", "match_key.id"),
    ("bits = 23\n", "\n", "match_key[0].bits"),
    ("bits = 23\n", "bits = 0\n", "match_key[0].bits"),
    (
        "strength = \"medium\"",
        "strength = \"huge\"",
        "match_key.strength",
    ),
    ("[limits.UK_to_RS]", "[limits.UK_to_FR]", "limits.UK_to_FR"),
    ("min_set = 20", "min_set = 10001", "limits.UK_to_RS.min_set"),
    (
        "max_set = 10000",
        "max_set = 99999999",
        "limits.UK_to_RS.max_set",
    ),
    (
        "max_set = 10000",
        "max_sets = 10000",
        "limits.UK_to_RS.max_sets",
    ),
    (
        "# responder_max_set = …",
        "responder_max_set = 1 #",
        "limits.UK_to_RS.responder_max_set",
    ),
    (
        "# keys_per_subject_max = …",
        "keys_per_subject_max = 65 #",
        "limits.UK_to_RS.keys_per_subject_max",
    ),
    (
        "rounds_per_day = 2",
        "rounds_per_day = 0",
        "limits.UK_to_RS.rounds_per_day",
    ),
    (
        "subjects_per_month = ",
        "subjects_per_month = 1 # ",
        "limits.UK_to_RS.subjects_per_month",
    ),
    (
        "min_interval = \"1h\"",
        "min_interval = \"1 hour\"",
        "limits.UK_to_RS.min_interval",
    ),
    (
        "min_interval = \"1h\"",
        "min_interval = \"367d\"",
        "limits.UK_to_RS.min_interval",
    ),
    (
        "[limits.UK_to_RS.evaluations.document]",
        "[limits.UK_to_RS.evaluations.passport]",
        "limits.UK_to_RS.evaluations.document",
    ),
    (
        "guess_margin_bits = 5",
        "guess_margin_bits = 6",
        "limits.UK_to_RS.evaluations.national-id.count",
    ),
    (
        "period = \"1d\"",
        "period = \"0s\"",
        "limits.UK_to_RS.evaluations.national-id.period",
    ),
    ("mode = \"fresh\"", "mode = \"standing\"", "result.mode"),
    (
        "mode = \"fresh\"",
        "epoch_days = 7\nmode = \"fresh\"",
        "result.epoch_days",
    ),
    (
        "mode = \"fresh\"",
        "repeat_questions = \"linkable\"\nmode = \"fresh\"",
        "result.repeat_questions",
    ),
    ("max_pairs = 8", "max_pairs = 0", "result.max_pairs"),
    ("max_overlap = 64", "max_overlap = 0", "result.max_overlap"),
    ("slots = [\"24h\", \"3d\"]", "slots = []", "answer.slots"),
    (
        "slots = [\"24h\", \"3d\"]",
        "slots = [\"3d\", \"24h\"]",
        "answer.slots[1]",
    ),
    (
        "slots = [\"24h\", \"3d\"]",
        "slots = [\"24h\", \"24h\"]",
        "answer.slots[1]",
    ),
    (
        "slots = [\"24h\", \"3d\"]",
        "slots = [\"3s\"]",
        "answer.slots[0]",
    ),
    (
        "slots = [\"24h\", \"3d\"]",
        "slots = [\"31d\"]",
        "answer.slots[0]",
    ),
    (
        "max_release = 64",
        "max_release = 10001",
        "answer.max_release",
    ),
    ("item_bytes = 1024", "item_bytes = 255", "answer.item_bytes"),
    (
        "item_bytes = 1024",
        "item_bytes = 65537",
        "answer.item_bytes",
    ),
    ("item_bytes = 1024", "item_bytes = 256", "answer.item_bytes"),
    (
        "fetch_window = \"2d\"",
        "fetch_hours = 48\nfetch_window = \"2d\"",
        "answer.fetch_hours",
    ),
    (
        "fetch_window = \"2d\"",
        "fetch_window = \"15d\"",
        "answer.fetch_window",
    ),
    (
        "question_deadline = \"3d\"",
        "question_deadline = \"0s\"",
        "answer.question_deadline",
    ),
    (
        "reciprocal = false",
        "reciprocal = true",
        "answer.reciprocal",
    ),
    (
        "[disclosure.RS_to_UK]",
        "[disclosure.RS_to_RS]",
        "disclosure.RS_to_RS",
    ),
    (
        "forbidden_fields = [\"phone\", \"iban\"]",
        "forbidden_fields = [\"dob\"]",
        "disclosure.UK_to_RS.fields_on_match",
    ),
    (
        "forbidden_fields = [\"phone\", \"iban\"]",
        "forbidden_fields = [\"hair\"]",
        "disclosure.UK_to_RS.forbidden_fields",
    ),
    (
        "forbidden_fields = [\"phone\", \"iban\"]",
        "forbidden_fields = [\"phone\", \"phone\"]",
        "disclosure.UK_to_RS.forbidden_fields",
    ),
    (
        "on_expiry = \"refuse\"",
        "on_expiry = \"release\"",
        "review.UK.on_expiry",
    ),
    ("sla_hours = ", "sla_hours = 0 # ", "review.UK.sla_hours"),
    (
        "default_code = \"OFFICIAL\"",
        "default_code = \"\"",
        "handling.default_code",
    ),
    ("log_years = 5", "log_years = 0", "retention.log_years"),
    ("notice_days = 30", "notice = 30", "exit.notice"),
];

#[test]
fn each_malformed_variant_is_refused_with_its_clause() {
    let mut wrong = Vec::new();
    for (from, to, clause) in MALFORMED {
        let text = sample_text();
        assert!(text.contains(from), "`{from}` is not in the sample");
        let variant = text.replacen(from, to, 1);
        let error = Agreement::parse(variant.as_bytes()).expect_err(to);
        if error.clause() != *clause || !error.to_string().contains(clause) {
            wrong.push(format!("`{to}` should name {clause}: {error}"));
        }
        assert!(!error.fix().is_empty());
        assert!(
            lint(variant.as_bytes())
                .iter()
                .any(|finding| finding.severity == Severity::Error)
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn standing_results_are_refused_in_plain_words() {
    let error = Agreement::parse(altered("mode = \"fresh\"", "mode = \"standing\"").as_bytes())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "standing results are not built yet (result.mode)"
    );
}

#[test]
fn a_nationality_cannot_be_both_in_and_out() {
    let text = altered("nationalities_in = []", "nationalities_in = [\"RS\"]")
        .replace("nationalities_out = []", "nationalities_out = [\"rs\"]");
    let error = Agreement::parse(text.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "RS stands in nationalities_in, too (scope.nationalities_out)"
    );
}

#[test]
fn an_unknown_word_is_refused_with_the_words_that_exist() {
    let text = sample_text().replacen(
        "two_person_when = [",
        "two_person_when = [\"sometimes\", ",
        1,
    );
    let message = Agreement::parse(text.as_bytes()).unwrap_err().to_string();
    for word in TwoPersonWhen::ALL {
        assert!(message.contains(word.word()), "{word}: {message}");
    }
    let text = altered("exclude = [\"asylum_claim\", ", "exclude = [\"minors\", ");
    let message = Agreement::parse(text.as_bytes()).unwrap_err().to_string();
    for word in Exclusion::ALL {
        assert!(message.contains(word.word()), "{word}: {message}");
    }
}

#[test]
fn one_key_for_two_uses_is_refused() {
    let of = |seed| hex::encode(signer(seed).verifying_key().to_bytes());
    for (from, to, clause) in [
        (2, 1, "party[0].transport_key"),
        (3, 1, "party[0].release_key"),
        (11, 1, "party[1].signing_key"),
        (13, 2, "party[1].release_key"),
    ] {
        let error = Agreement::parse(altered(&of(from), &of(to)).as_bytes()).unwrap_err();
        assert_eq!(error.clause(), clause);
    }
}

#[test]
fn low_order_and_invalid_keys_are_refused() {
    let key = hex::encode(signer(1).verifying_key().to_bytes());
    let identity = format!("01{}", "00".repeat(31));
    let off_curve = format!("02{}", "00".repeat(31));
    for bad in [identity, off_curve] {
        let error = Agreement::parse(altered(&key, &bad).as_bytes()).unwrap_err();
        assert_eq!(error.clause(), "party.signing_key", "{error}");
    }
}

#[test]
fn a_third_party_is_refused() {
    let text = sample_text();
    let start = text.find("[[party]]").unwrap();
    let end = start + 9 + text[start + 9..].find("[[party]]").unwrap();
    let error = Agreement::parse(format!("{}{}", text, &text[start..end]).as_bytes()).unwrap_err();
    assert_eq!(error.clause(), "party");
}

#[test]
fn all_faults_are_reported_at_once() {
    let text =
        altered_n("min_set = 20", "min_set = 10001", 2).replace("max_pairs = 8", "max_pairs = 0");
    let Err(AgreementError::Clauses(findings)) = Agreement::parse(text.as_bytes()) else {
        panic!("accepted")
    };
    let clauses: Vec<_> = findings
        .iter()
        .map(|finding| finding.clause.as_str())
        .collect();
    assert_eq!(
        clauses,
        [
            "result.max_pairs",
            "limits.UK_to_RS.min_set",
            "limits.RS_to_UK.min_set"
        ]
    );
    assert!(
        AgreementError::Clauses(findings)
            .to_string()
            .ends_with("(result.max_pairs); and 2 more")
    );
}

#[test]
fn oversized_and_binary_files_are_refused() {
    let oversized = "#".repeat(AGREEMENT_BYTES_MAX + 1);
    assert!(matches!(
        Agreement::parse(oversized.as_bytes()),
        Err(AgreementError::TooLarge { .. })
    ));
    assert_eq!(
        Agreement::parse(&[0xff, 0xfe]),
        Err(AgreementError::NotUtf8)
    );
    assert!(Agreement::parse(b"").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_damaged_file_is_read_without_a_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = sample_text().into_bytes();
        let index = at.index(bytes.len());
        bytes[index] = byte;
        if cut {
            bytes.truncate(index + 1);
        }
        if let Ok(agreement) = Agreement::parse(&bytes) {
            prop_assert_eq!(agreement.bytes(), bytes);
        }
    }
}
