//! The fictional agreement that the tests use.

use std::fs;
use std::path::PathBuf;

use ed25519_dalek::SigningKey;
use mandorla_agreement::{
    Agreement, DraftContacts, DraftDataset, DraftInput, DraftLegal, DraftParty, DraftScope,
    Duration, Exclusion, Instant, PartyType, PublicKey, Regime, TwoPersonWhen,
};
use mandorla_linkage::{Field, MatchKeyRule, PROFILE, Strength, Transform, Transforms};

pub(crate) fn signer(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(seed: u8) -> PublicKey {
    PublicKey::from_bytes(signer(seed).verifying_key().to_bytes()).unwrap()
}

pub(crate) fn at_s(text: &str) -> u64 {
    text.parse::<Instant>().unwrap().as_s()
}

pub(crate) fn sample_path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/uk-rs.toml"))
}

pub(crate) fn sample_text() -> String {
    fs::read_to_string(sample_path()).unwrap()
}

pub(crate) fn sample() -> Agreement {
    Agreement::parse(sample_text().as_bytes()).unwrap()
}

/// The sample with one text replaced, which must stand in it exactly `count` times.
pub(crate) fn altered_n(from: &str, to: &str, count: usize) -> String {
    let text = sample_text();
    assert_eq!(text.matches(from).count(), count, "`{from}` in the sample");
    text.replace(from, to)
}

pub(crate) fn altered(from: &str, to: &str) -> String {
    altered_n(from, to, 1)
}

fn rule(
    id: &str,
    fields: &[Field],
    transform: Transforms,
    strength: Strength,
    alone: bool,
    bits: u16,
) -> MatchKeyRule {
    MatchKeyRule {
        id: id.into(),
        fields: fields.to_vec(),
        transform,
        strength,
        alone,
        bits: Some(bits),
    }
}

fn party(
    code: &str,
    name: &str,
    kind: PartyType,
    first_seed: u8,
    dataset: &str,
    max_records: u64,
) -> DraftParty {
    DraftParty {
        code: code.into(),
        name: name.into(),
        country: if code == "UK" {
            "GB".into()
        } else {
            code.into()
        },
        kind,
        signing_key: public(first_seed),
        transport_key: public(first_seed + 1),
        release_key: public(first_seed + 2),
        datasets: vec![DraftDataset {
            id: dataset.into(),
            max_records,
        }],
        contacts: DraftContacts {
            authoriser: Some(format!("Privacy desk of the {name}, desk@agency.example")),
            dpo: Some(format!(
                "Data protection officer of the {name}, dpo@agency.example"
            )),
            supervisory_authority: Some("Fictional Information Commission".into()),
        },
        legal: DraftLegal {
            instrument: Some("Fictional Border Cooperation Treaty, article 12".into()),
            basis: Some(format!("Fictional Police Data Act of {code}, section 35")),
            transfer_basis: Some(format!(
                "Fictional Police Data Act of {code}, section 73: treaty with appropriate safeguards"
            )),
            dpia_ref: Some(format!("DPIA-{code}-2026-07")),
        },
        two_person_when: vec![TwoPersonWhen::Conflict, TwoPersonWhen::SharedDocument],
    }
}

/// What the sample file is drafted from.
pub(crate) fn sample_input() -> DraftInput {
    let folded_names = Transforms::PerField(
        [
            (Field::FamilyNames, Transform::Fold),
            (Field::GivenNames, Transform::Fold),
        ]
        .into(),
    );
    DraftInput {
        id: "UK-RS-SAMPLE".into(),
        title: "Sample agreement between two fictional agencies".into(),
        parties: [
            party(
                "UK",
                "Fictional Border Agency",
                PartyType::Immigration,
                1,
                "watchlist",
                50_000,
            ),
            party(
                "RS",
                "Fictional Border Police",
                PartyType::Police,
                11,
                "registry",
                30_000,
            ),
        ],
        both_directions: true,
        not_before: Instant::from_s(at_s("2026-12-01")),
        expires: Instant::from_s(at_s("2027-12-01")),
        review_due: Instant::from_s(at_s("2027-06-01")),
        pilot_required: true,
        purpose_code: "OIC-FACILITATION".into(),
        purpose_text:
            "Detection of organised immigration crime: facilitators who use more than one identity"
                .into(),
        regime: Regime::LawEnforcement,
        offence_categories: vec!["facilitation of unlawful immigration".into()],
        policy_context: vec![
            "Fictional Joint Declaration on organised immigration crime, 2025".into(),
        ],
        scope: DraftScope {
            subject_categories: vec!["suspected facilitators, 18 or older".into()],
            nationalities_in: Vec::new(),
            nationalities_out: Vec::new(),
            exclude: Exclusion::ALL.to_vec(),
        },
        profile: PROFILE.into(),
        match_keys: vec![
            rule(
                "national-id",
                &[Field::NationalId, Field::NationalIdType],
                Transforms::All(Transform::Exact),
                Strength::Strong,
                true,
                23,
            ),
            rule(
                "document",
                &[Field::DocumentNumber, Field::DocumentState],
                Transforms::All(Transform::Exact),
                Strength::Strong,
                true,
                30,
            ),
            rule(
                "name-dob",
                &[Field::FamilyNames, Field::GivenNames, Field::Dob],
                folded_names,
                Strength::Medium,
                true,
                30,
            ),
        ],
        min_set: 20,
        max_set: 10_000,
        rounds_per_day: 2,
        min_interval: Duration::from_s(3_600),
        slots: vec![Duration::from_s(86_400), Duration::from_s(3 * 86_400)],
        fetch_window: Duration::from_s(2 * 86_400),
        question_deadline: Duration::from_s(3 * 86_400),
        max_release: 64,
        item_bytes: 1_024,
        fields_on_match: vec![
            Field::FamilyNames,
            Field::GivenNames,
            Field::Dob,
            Field::DocumentNumber,
            Field::DocumentState,
        ],
        forbidden_fields: vec![Field::Phone, Field::Iban],
    }
}
