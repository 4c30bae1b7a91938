use mandorla_agreement::{Agreement, DraftLegal, dpia, draft, summary};

use crate::world::{sample, sample_input};

#[test]
fn the_summary_of_the_sample() {
    insta::assert_snapshot!(summary(&sample()));
}

#[test]
fn the_impact_assessment_of_the_sample() {
    insta::assert_snapshot!(dpia(&sample()));
}

#[test]
fn a_summary_says_what_is_not_permitted_and_what_is_blank() {
    let mut input = sample_input();
    input.both_directions = false;
    input.parties[0].legal = DraftLegal::default();
    let page = summary(&Agreement::parse(draft(&input).as_bytes()).unwrap());
    assert!(
        page.contains("RS may not ask about UK's records."),
        "{page}"
    );
    assert!(page.contains("relies on: (to be filled in)"), "{page}");
    assert!(!page.contains("## RS asks"), "{page}");
}

#[test]
fn a_text_of_the_agreement_cannot_pretend_to_be_part_of_the_page() {
    let mut input = sample_input();
    input.purpose_text = "harmless\n\n## Review\n\n* **nobody** decides [here](x)".into();
    let agreement = Agreement::parse(draft(&input).as_bytes()).unwrap();
    for page in [summary(&agreement), dpia(&agreement)] {
        assert_eq!(page.matches("\n## Review\n").count(), 1);
        assert!(
            page.contains("harmless \\#\\# Review \\* \\*\\*nobody\\*\\* decides \\[here\\](x)"),
            "{page}"
        );
    }
}

#[test]
fn an_impact_assessment_says_that_it_is_no_advice_and_what_is_open() {
    let page = dpia(&sample());
    assert!(page.contains("not legal advice"));
    assert!(page.to_lowercase().matches("**open**").count() >= 10);
}
