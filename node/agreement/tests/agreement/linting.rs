use mandorla_agreement::{Agreement, DraftContacts, DraftLegal, Finding, Severity, draft, lint};
use mandorla_linkage::Field;

use crate::world::{sample_input, sample_text};

fn at<'a>(findings: &'a [Finding], severity: Severity, clause: &str) -> Vec<&'a Finding> {
    let about = |finding: &&Finding| finding.clause == clause && finding.severity == severity;
    findings.iter().filter(about).collect()
}

fn altered(alter: impl FnOnce(&mut mandorla_agreement::DraftInput)) -> Vec<Finding> {
    let mut input = sample_input();
    alter(&mut input);
    Agreement::parse(draft(&input).as_bytes()).unwrap().lint()
}

#[test]
fn the_sample_has_no_errors_and_the_gravest_finding_comes_first() {
    let findings = lint(sample_text().as_bytes());
    let errors: Vec<_> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(findings.is_sorted_by_key(|finding| std::cmp::Reverse(finding.severity)));
    assert!(findings.iter().all(|finding| !finding.fix.is_empty()));
}

#[test]
fn every_placeholder_of_a_draft_is_an_error_until_it_is_filled_in() {
    let findings = altered(|input| {
        input.purpose_code = String::new();
        input.purpose_text = " ".into();
        for party in &mut input.parties {
            party.legal = DraftLegal::default();
            party.contacts = DraftContacts::default();
        }
    });
    let mut clauses = vec!["purpose.code".to_owned(), "purpose.text".to_owned()];
    for (index, code) in ["UK", "RS"].into_iter().enumerate() {
        for name in ["instrument", "basis", "transfer_basis"] {
            clauses.push(format!("legal.{code}.{name}"));
        }
        for name in ["authoriser_contact", "dpo_contact", "supervisory_authority"] {
            clauses.push(format!("party[{index}].{name}"));
        }
        let dpia = format!("legal.{code}.dpia_ref");
        assert_eq!(at(&findings, Severity::Warning, &dpia).len(), 1, "{dpia}");
    }
    for clause in &clauses {
        assert_eq!(at(&findings, Severity::Error, clause).len(), 1, "{clause}");
    }
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    assert_eq!(errors.count(), clauses.len());
}

#[test]
fn an_empty_text_is_as_good_as_a_placeholder() {
    let text = sample_text().replacen(
        "instrument = \"Fictional Border Cooperation Treaty, article 12\"",
        "instrument = \"\"",
        1,
    );
    assert_eq!(
        at(
            &lint(text.as_bytes()),
            Severity::Error,
            "legal.UK.instrument"
        )
        .len(),
        1
    );
}

#[test]
fn a_political_declaration_is_no_legal_basis() {
    for text in [
        "Joint Declaration on organised immigration crime, 2025",
        "Fictional Joint Declaration on organised immigration crime, 2025",
        "Memorandum of understanding of the two ministries",
    ] {
        let findings = altered(|input| input.parties[1].legal.transfer_basis = Some(text.into()));
        let found = at(&findings, Severity::Error, "legal.RS.transfer_basis");
        assert_eq!(found.len(), 1, "{text}");
        assert!(
            found[0]
                .message
                .ends_with("a political declaration is no legal basis")
        );
    }
}

#[test]
fn a_quota_that_covers_all_values_is_an_error_and_one_that_adds_up_to_them_a_warning() {
    let clause = "limits.UK_to_RS.evaluations.national-id.count";
    let all = altered(|input| input.match_keys[0].bits = Some(10));
    let found = at(&all, Severity::Error, clause);
    assert_eq!(found.len(), 1, "{all:#?}");
    assert_eq!(
        found[0].message,
        "1024 evaluations in 24h cover all 2^10 = 1024 values of national-id: RS could try every one"
    );

    let life = altered(|_| {});
    let found = at(&life, Severity::Warning, clause);
    assert_eq!(found.len(), 1, "{life:#?}");
    assert_eq!(
        found[0].message,
        "over the agreement's life the quota allows 262144 × 365 = 95682560 evaluations of national-id, and the rounds \
         need 23920640; there are only 2^23 = 8388608 values, and RS could try them all"
    );

    let many = altered(|input| input.match_keys[0].bits = Some(60));
    assert!(at(&many, Severity::Warning, clause).is_empty());
    assert!(at(&many, Severity::Error, clause).is_empty());
}

#[test]
fn what_the_rounds_of_a_day_need_is_held_against_the_quota() {
    let findings = altered(|input| input.match_keys[0].bits = Some(15));
    let found = at(
        &findings,
        Severity::Warning,
        "limits.UK_to_RS.rounds_per_day",
    );
    assert!(
        found.is_empty(),
        "a quota of 2^15 that covers everything is an error already"
    );
    let text = sample_text().replacen("count = 262144", "count = 40000", 1);
    let findings = lint(text.as_bytes());
    let found = at(
        &findings,
        Severity::Warning,
        "limits.UK_to_RS.rounds_per_day",
    );
    assert_eq!(
        found[0].message,
        "2 rounds a day of 32768 padded evaluations come to 65536 of national-id in 24h; the quota ends them at 40000"
    );
}

#[test]
fn a_quota_beyond_its_margin_is_refused_with_the_arithmetic() {
    let text = sample_text().replacen("guess_margin_bits = 5", "guess_margin_bits = 6", 1);
    let error = Agreement::parse(text.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "262144 evaluations in 24h of the 2^23 values of national-id; at most 2^(23 - 6) = 131072 in a period \
         (limits.UK_to_RS.evaluations.national-id.count)"
    );
    let text = sample_text().replacen("guess_margin_bits = 5", "guess_margin_bits = 24", 1);
    let error = Agreement::parse(text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("leaves none"), "{error}");
}

#[test]
fn a_match_key_that_no_release_can_name_is_pointed_out() {
    let findings = altered(|input| {
        input.fields_on_match.retain(|field| *field != Field::Dob);
        input.forbidden_fields.push(Field::Dob);
    });
    let found = at(
        &findings,
        Severity::Warning,
        "disclosure.UK_to_RS.forbidden_fields",
    );
    assert_eq!(found.len(), 1);
    assert!(
        found[0].message.contains("name-dob"),
        "{}",
        found[0].message
    );
    let found = at(
        &findings,
        Severity::Note,
        "disclosure.UK_to_RS.fields_on_match",
    );
    assert_eq!(found.len(), 1);
    assert!(
        found[0].message.contains("national-id"),
        "{}",
        found[0].message
    );
}

#[test]
fn an_agreement_that_excludes_nobody_is_warned_about() {
    let findings = altered(|input| input.scope.exclude.clear());
    assert_eq!(at(&findings, Severity::Warning, "scope.exclude").len(), 1);
    assert!(
        at(
            &lint(sample_text().as_bytes()),
            Severity::Warning,
            "scope.exclude"
        )
        .is_empty()
    );
    let findings = altered(|input| {
        input.scope.nationalities_in = vec!["RS".into()];
        input.scope.nationalities_out = vec!["ALB".into()];
    });
    assert_eq!(
        at(&findings, Severity::Warning, "scope.nationalities_in").len(),
        1
    );
}
