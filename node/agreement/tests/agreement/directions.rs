use mandorla_agreement::{Agreement, AgreementError};

use crate::world::{altered_n, sample, sample_text};

fn without_the_second_direction() -> Agreement {
    let text = sample_text();
    let start = text.find("# RS asks").unwrap();
    let end = text.find("[result]").unwrap();
    Agreement::parse(format!("{}{}", &text[..start], &text[end..]).as_bytes()).unwrap()
}

#[test]
fn a_direction_is_the_askers_view() {
    let agreement = sample();
    let direction = agreement.direction("UK", "RS").unwrap();
    assert_eq!(direction.name(), "UK_to_RS");
    assert_eq!(
        (
            direction.requester().code.as_str(),
            direction.responder().code.as_str()
        ),
        ("UK", "RS")
    );
    assert_eq!(
        (
            direction.requester_subjects_max(),
            direction.responder_subjects_max()
        ),
        (10_000, 30_000)
    );
    assert_eq!(
        agreement
            .direction("RS", "UK")
            .unwrap()
            .responder_subjects_max(),
        50_000
    );
    assert_eq!(direction.keys_per_subject_max(), 3);
}

#[test]
fn an_absent_direction_is_not_permitted() {
    let agreement = without_the_second_direction();
    assert!(agreement.direction("UK", "RS").is_ok());
    let error = agreement.direction("RS", "UK").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the agreement does not permit RS to ask about UK's records (limits.RS_to_UK)"
    );
    assert!(
        matches!(agreement.direction("UK", "FR"), Err(AgreementError::UnknownParty(code)) if code == "FR")
    );
    assert!(agreement.direction("UK", "UK").is_err());
}

/// `(max_set, responder_max_set, keys_per_subject_max, cells log2, evaluations log2, tag bits)`, by hand from
/// ⌈log2 cells + log2 evaluations + 40⌉ rounded up to bytes.
#[test]
fn tags_are_as_wide_as_the_formula_says() {
    let table = [
        (20, 20, 1, 5, 5, 56),
        (20, 20, 2, 6, 6, 56),
        (10_000, 30_000, 3, 15, 17, 72),
        (16_384, 65_536, 1, 14, 16, 72),
        (16_385, 65_536, 1, 15, 16, 72),
        (65_536, 65_537, 1, 16, 17, 80),
        (1_000_000, 500_000, 16, 24, 23, 88),
        (1 << 24, 1 << 24, 64, 30, 30, 104),
    ];
    for (max_set, responder_max, keys, cells, evaluations, bits) in table {
        let text = altered_n("max_set = 10000 ", &format!("max_set = {max_set} "), 2)
            .replace(
                "# responder_max_set = …",
                &format!("responder_max_set = {responder_max} #"),
            )
            .replace(
                "# keys_per_subject_max = …",
                &format!("keys_per_subject_max = {keys} #"),
            )
            .replace(
                "subjects_per_month = ",
                "subjects_per_month = 1000000000 # ",
            );
        let agreement = Agreement::parse(text.as_bytes()).unwrap();
        let direction = agreement.direction("UK", "RS").unwrap();
        assert_eq!(
            (direction.cells_log2_max(), direction.evaluations_log2_max()),
            (cells, evaluations),
            "{max_set}"
        );
        assert_eq!(
            (direction.tag_bits(), u32::from(direction.tag_bytes()) * 8),
            (bits, bits),
            "{max_set}"
        );
    }
}

#[test]
fn parties_are_found_by_code_and_by_key() {
    let agreement = sample();
    let rs = agreement.party("RS").unwrap();
    assert_eq!(
        agreement.party_of_signing_key(rs.signing_key.as_bytes()),
        Some(rs)
    );
    assert_eq!(
        agreement.party_of_signing_key(rs.release_key.as_bytes()),
        None
    );
    assert_eq!(agreement.other_party("UK"), Some(rs));
    assert_eq!(agreement.other_party("FR"), None);
    assert!(agreement.dataset("RS", "registry").is_some());
    assert!(agreement.dataset("UK", "registry").is_none());
}

#[test]
fn hours_and_durations_of_the_fetch_window_mean_the_same() {
    let text = sample_text().replace("fetch_window = \"2d\"", "fetch_hours = 48");
    let agreement = Agreement::parse(text.as_bytes()).unwrap();
    assert_eq!(agreement.terms().answer.fetch_window_s(), 2 * 86_400);
    assert_eq!(
        agreement.terms().answer.fetch_window_s(),
        sample().terms().answer.fetch_window_s()
    );
}
