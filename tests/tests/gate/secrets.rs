//! What must never leave, searched for in every file, message and reply of the other node.
//!
//! A canary is a word that stands in one field of one person of one list and nowhere else. Each search is first shown
//! to find the canary where it belongs.

use mandorla_cli::world::value_of;
use mandorla_linkage::{Field, Strength, Subject, Transform, Transforms};
use mandorla_tests::{Agencies, Asked, CASE, Deal, List, Traces, match_key, number_key};

/// Of the responder, in hits that are refused, undecided, and in nobody's question; also in the references.
const UNRELEASED: [&str; 3] = ["QZREFUSEDQZ", "QZUNDECIDEDQZ", "QZLONELYQZ"];
/// Of the responder, in a document number that a release drops; its digits are the match key.
const REDACTED: &str = "QZDROPPEDQZ";
/// Of the responder, released.
const RELEASED: &str = "QZRELEASEDQZ";
/// Of the requester: in people who are hits, whatever becomes of them, and in one who is none.
const ASKED: [&str; 5] = ["QVONEQV", "QVTWOQV", "QVTHREEQV", "QVFOURQV", "QVLONELYQV"];

fn deal() -> Deal {
    let document = match_key(
        "document",
        &[Field::DocumentNumber],
        Transforms::All(Transform::Digits),
        Strength::Medium,
        true,
    );
    Deal {
        match_keys: vec![number_key(), document],
        slots_s: vec![8],
        fields_on_match: vec![
            Field::CaseRef,
            Field::NationalId,
            Field::DocumentNumber,
            Field::PlaceOfBirth,
        ],
        ..Deal::default()
    }
}

fn person(reference: &str, number: &str, document: &str, place: &str) -> Subject {
    Subject::new(reference)
        .with(Field::NationalId, number)
        .with(Field::DocumentNumber, document)
        .with(Field::PlaceOfBirth, place)
}

fn lists() -> [List; 2] {
    let [refused, undecided, lonely] = UNRELEASED;
    let known = [
        person("k-released", "N1", "D 1001", RELEASED),
        person("k-redacted", "N2", &format!("{REDACTED} 1002"), "Niš"),
        person(
            &format!("k-{refused}"),
            "N3",
            &format!("{refused} 1003"),
            refused,
        ),
        person(
            &format!("k-{undecided}"),
            "N4",
            &format!("{undecided} 1004"),
            undecided,
        ),
        person(
            &format!("k-{lonely}"),
            lonely,
            &format!("{lonely} 1999"),
            lonely,
        ),
    ];
    let asked = ASKED.iter().zip(1..).map(|(canary, index)| {
        let number = if index == 5 {
            (*canary).to_owned()
        } else {
            format!("N{index}")
        };
        person(
            &format!("a-{canary}"),
            &number,
            &format!("{canary} 100{index}"),
            canary,
        )
    });
    [List::of(&asked.collect::<Vec<_>>()), List::of(&known)]
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_unreleased_is_anywhere_at_the_other_node() {
    let deal = deal();
    let [asked_about, known] = lists();
    let agencies = Agencies::two().await.unwrap();
    agencies
        .prepare(&deal, [&asked_about, &known])
        .await
        .unwrap();
    let asked = agencies.ask(&deal).await.unwrap();
    let (redacted, unreleased) = decide(&agencies, &asked).await;
    let hits = agencies.answer(&asked).await.unwrap();
    assert_eq!(hits.len(), 2);
    let redacted = hits.iter().find(|hit| hit.id == redacted).unwrap();
    assert_eq!(
        redacted.match_keys,
        ["number"],
        "the dropped field takes its match key along"
    );
    assert!(
        redacted
            .explanation
            .iter()
            .all(|line| !line.contains("document"))
    );
    assert!(
        redacted
            .released
            .iter()
            .all(|field| field.field != "document_number")
    );
    assert_eq!(redacted.own_reference, format!("a-{}", ASKED[1]));
    let released = hits.iter().find(|hit| hit.id != redacted.id).unwrap();
    assert_eq!(released.match_keys, ["number", "document"]);

    // The own record shows the requester's own document number: only the peer's spelling of it is searched for.
    let requester = Traces::of(agencies.requester()).await.unwrap();
    let responder = Traces::of(agencies.responder()).await.unwrap();
    assert!(
        !requester.of_word(RELEASED).is_empty(),
        "a released value arrives"
    );
    assert!(
        !responder.of_word(CASE).is_empty(),
        "the case reference arrives"
    );
    for canary in UNRELEASED.into_iter().chain([REDACTED]) {
        assert!(
            !responder.of_word(canary).is_empty(),
            "{canary} is where it belongs"
        );
        assert_eq!(
            requester.of_word(canary),
            [""; 0],
            "{canary} left the responder"
        );
    }
    for canary in ASKED {
        assert!(
            !requester.of_word(canary).is_empty(),
            "{canary} is where it belongs"
        );
        assert_eq!(
            responder.of_word(canary),
            [""; 0],
            "{canary} left the requester"
        );
    }
    // Ids of hits that were not released mean nothing to the requester.
    for id in unreleased {
        assert!(
            !responder.of_word(&id).is_empty(),
            "{id} is where it belongs"
        );
        assert_eq!(requester.of_word(&id), [""; 0], "{id} left the responder");
    }
}

/// Releases a hit, redacts one, refuses one and leaves one; returns the ids of the redacted and of the last two.
async fn decide(agencies: &Agencies, asked: &Asked) -> (String, Vec<String>) {
    let waiting = agencies.waiting(asked).await.expect("an inbox");
    assert_eq!(waiting.len(), 4);
    let mut redacted = None;
    let mut unreleased = Vec::new();
    for entry in waiting {
        let hit = entry.item;
        let page = agencies.page(&hit).await.expect("a page");
        let own = value_of(&page.own_record, "ref").expect("a reference");
        match own {
            "k-released" => {
                agencies.release(&hit, &[]).await.expect("a release");
            }
            "k-redacted" => {
                let decided = agencies.release(&hit, &["document_number"]).await;
                assert_eq!(decided.expect("a redaction").decision, "redacted");
                redacted = Some(hit);
            }
            own if own.contains(UNRELEASED[0]) => {
                agencies.refuse(&hit).await.expect("a refusal");
                unreleased.push(hit);
            }
            own => {
                assert!(own.contains(UNRELEASED[1]), "{own} is a hit");
                unreleased.push(hit);
            }
        }
    }
    assert_eq!(unreleased.len(), 2);
    (redacted.expect("one is redacted"), unreleased)
}
