use mandorla_control::{FieldView, InboxEntry};
use mandorla_linkage::generate::Size;
use mandorla_linkage::{MapFile, RowLimits, load_csv};

use super::*;

fn fields(reference: &str, number: Option<&str>) -> Vec<FieldView> {
    let field = |field: &str, value: &str| FieldView {
        field: field.to_owned(),
        values: vec![value.to_owned()],
    };
    let mut fields = vec![field(REFERENCE_FIELD, reference)];
    fields.extend(number.map(|number| field("document_number", number)));
    fields
}

fn item(id: &str, reference: &str) -> ReviewItem {
    ReviewItem {
        entry: InboxEntry {
            item: id.into(),
            kind: "hit".into(),
            peer: "GB".into(),
            round: "Q-1".into(),
            purpose: "trial".into(),
            case_reference: "OP".into(),
            grade: None,
            match_keys: Vec::new(),
            due: 0,
            flags: Vec::new(),
        },
        decision: "undecided".into(),
        own_record: fields(reference, Some("P1")),
        evidence: Vec::new(),
        would_leave: Vec::new(),
        forbidden: Vec::new(),
        numbers: Vec::new(),
        same_requester_subject: Vec::new(),
    }
}

fn hit(id: &str, own: &str, reference: &str, number: Option<&str>) -> HitView {
    HitView {
        id: id.into(),
        round: "R-1".into(),
        peer: "RS".into(),
        own_reference: own.into(),
        own_record: Vec::new(),
        grade: "strong".into(),
        match_keys: Vec::new(),
        explanation: Vec::new(),
        released: fields(reference, number),
        handling: String::new(),
        received_at: 0,
    }
}

fn world() -> (BTreeSet<(String, String)>, Review, Vec<HitView>) {
    let pair = |n: u32| (format!("UK-{n}"), format!("RS-{n}"));
    let review = Review {
        released: vec![item("H-1", "RS-1")],
        redacted: item("H-2", "RS-2"),
        dropped: "document_number",
        refused: item("H-3", "RS-3"),
    };
    let hits = vec![
        hit("H-1", "UK-1", "RS-1", Some("P1")),
        hit("H-2", "UK-2", "RS-2", None),
    ];
    ((1..=3).map(pair).collect(), review, hits)
}

#[test]
fn a_true_round_has_nothing_missed_and_nothing_false() {
    let (truth, review, hits) = world();
    assert_eq!(compare(&truth, &review, &hits).unwrap(), (0, 0));
}

#[test]
fn what_is_missed_or_false_is_counted_once() {
    let (mut truth, review, hits) = world();
    truth.insert(("UK-4".into(), "RS-4".into()));
    assert_eq!(
        compare(&truth, &review, &hits).unwrap(),
        (1, 0),
        "not found"
    );

    let (truth, review, mut hits) = world();
    hits.remove(0);
    assert_eq!(
        compare(&truth, &review, &hits).unwrap(),
        (1, 0),
        "released and not received"
    );

    let (mut truth, review, hits) = world();
    truth.remove(&("UK-1".into(), "RS-1".into()));
    assert_eq!(
        compare(&truth, &review, &hits).unwrap(),
        (0, 1),
        "found and not on both lists"
    );

    let (truth, review, mut hits) = world();
    hits[0].own_reference = "UK-2".into();
    assert_eq!(
        compare(&truth, &review, &hits).unwrap(),
        (0, 1),
        "linked to another person"
    );
}

#[test]
fn a_refused_hit_or_a_dropped_field_at_the_requester_ends_the_demonstration() {
    let (truth, review, mut hits) = world();
    hits.push(hit("H-3", "UK-3", "RS-3", None));
    assert!(
        compare(&truth, &review, &hits)
            .unwrap_err()
            .message
            .contains("refused")
    );

    let (truth, review, mut hits) = world();
    hits[1].released = fields("RS-2", Some("P1"));
    assert!(
        compare(&truth, &review, &hits)
            .unwrap_err()
            .message
            .contains("dropped")
    );
}

#[test]
fn the_redaction_prefers_a_number_that_takes_its_match_key_along() {
    let with = |evidence: &[&str]| ReviewItem {
        evidence: evidence.iter().map(|key| (*key).to_owned()).collect(),
        ..item("H-1", "RS-1")
    };
    let passport = "passport: document_state and document_number are equal";
    let names = "name-dob: family_names and given_names agree after folding; dob is equal";
    assert_eq!(
        agreeing_number(&with(&[passport, names])),
        Some("document_number")
    );
    assert_eq!(
        agreeing_number(&with(&[passport])),
        None,
        "nothing would be left"
    );
    assert_eq!(agreeing_number(&with(&[names, names])), None);
}

#[test]
fn the_maps_of_the_lists_carry_the_reference_twice() {
    let small = Size {
        left: 10,
        right: 10,
        overlap: 5,
    };
    let lists = generate(small, SEED);
    for (map, csv) in [
        (&lists.uk_map, &lists.uk_csv),
        (&lists.rs_map, &lists.rs_csv),
    ] {
        let map = MapFile::parse(&with_reference(map).unwrap()).unwrap();
        let load = load_csv(csv.as_bytes(), &map, &RowLimits::default()).unwrap();
        let (subjects, _) = load.collect_subjects().unwrap();
        assert_eq!(subjects.len(), 10);
        for subject in &subjects {
            assert_eq!(
                subject.values_of(Field::CaseRef),
                [subject.reference.as_str()]
            );
        }
    }
    assert_eq!(truth(&lists.truth_csv).unwrap().len(), 5);
}
