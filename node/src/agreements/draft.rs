//! A first text between this node and a peer, with careful defaults.

use mandorla_agreement::{
    Agreement, DraftContacts, DraftDataset, DraftInput, DraftLegal, DraftParty, DraftScope,
    Duration, Exclusion, Instant, PartyType, PublicKey, Regime, SET_SUBJECTS_MAX, day_start_s,
    draft as write_draft,
};
use mandorla_control::{AgreementDraft, ApiError, ErrorCode};
use mandorla_linkage::{Field, MatchKeyRule, PROFILE, Strength, Transform, Transforms};

use crate::node::{Node, storage};
use crate::peers::{self, CardFields};
use crate::records::dataset::DATASETS;

const DAY_S: u64 = 86_400;
const HOUR_S: u64 = 3_600;

/// A list of some thousand subjects, where nothing is known of its size.
const MAX_RECORDS_DEFAULT: u64 = 50_000;

/// Writes the text; it parses as it stands.
pub(super) fn draft(node: &Node, call: &AgreementDraft) -> Result<String, ApiError> {
    let peer = peers::find(node, &call.peer)?;
    let card = CardFields::of_record(&peer).ok_or_else(|| {
        ApiError::new(
            ErrorCode::Storage,
            format!("the stored card of {} cannot be read", call.peer),
        )
    })?;
    let tx = node.store.read().map_err(storage)?;
    let loaded = tx.scan_all(DATASETS).map_err(storage)?;
    let own_datasets = loaded.into_iter().map(|(id, record)| DraftDataset {
        id,
        max_records: room_for(record.subjects),
    });
    let own = party(&peers::own_card(node), own_datasets.collect(), "watchlist")?;
    let other = party(&card, Vec::new(), "registry")?;
    let today = day_start_s(node.clock.now_s());
    let text = write_draft(&input(call, [own, other], today));
    Agreement::parse(text.as_bytes()).map_err(|error| {
        ApiError::new(
            ErrorCode::BadRequest,
            format!("no agreement can be drafted from this: {error}"),
        )
        .hint(error.fix())
    })?;
    Ok(text)
}

/// A list may grow to twice its size before the agreement has to be changed.
fn room_for(subjects: u64) -> u64 {
    (2 * subjects.max(512))
        .next_power_of_two()
        .min(SET_SUBJECTS_MAX)
}

fn party(
    card: &CardFields,
    datasets: Vec<DraftDataset>,
    placeholder: &str,
) -> Result<DraftParty, ApiError> {
    let datasets = if datasets.is_empty() {
        vec![DraftDataset {
            id: placeholder.to_owned(),
            max_records: MAX_RECORDS_DEFAULT,
        }]
    } else {
        datasets
    };
    let key = |bytes: [u8; 32]| {
        PublicKey::from_bytes(bytes).ok_or_else(|| {
            ApiError::new(
                ErrorCode::Storage,
                format!("the card of {} has an unusable key", card.code),
            )
        })
    };
    Ok(DraftParty {
        code: card.code.clone(),
        name: card.name.clone(),
        country: card.country.clone(),
        kind: PartyType::Police,
        signing_key: key(card.signing_key)?,
        transport_key: key(card.transport_key)?,
        release_key: key(card.release_key)?,
        datasets,
        contacts: DraftContacts::default(),
        legal: DraftLegal::default(),
        two_person_when: Vec::new(),
    })
}

fn input(call: &AgreementDraft, parties: [DraftParty; 2], today: u64) -> DraftInput {
    DraftInput {
        id: call.id.clone(),
        title: call.title.clone(),
        parties,
        both_directions: true,
        not_before: Instant::from_s(today),
        expires: Instant::from_s(today + 365 * DAY_S),
        review_due: Instant::from_s(today + 180 * DAY_S),
        pilot_required: true,
        purpose_code: String::new(), // placeholders
        purpose_text: String::new(),
        regime: Regime::LawEnforcement,
        offence_categories: Vec::new(),
        policy_context: Vec::new(),
        scope: DraftScope {
            // Some people must never be asked about; who signs may take a word out.
            exclude: Exclusion::ALL.to_vec(),
            ..DraftScope::default()
        },
        profile: PROFILE.to_owned(),
        match_keys: match_keys(),
        min_set: 20,
        max_set: 10_000,
        rounds_per_day: 2,
        min_interval: Duration::from_s(HOUR_S),
        slots: vec![Duration::from_s(DAY_S)],
        fetch_window: Duration::from_s(2 * DAY_S),
        question_deadline: Duration::from_s(3 * DAY_S),
        max_release: 64,
        item_bytes: 1_024,
        fields_on_match: vec![
            Field::FamilyNames,
            Field::GivenNames,
            Field::Dob,
            Field::DocumentNumber,
            Field::DocumentState, // without it the match key `document` could never be named
        ],
        forbidden_fields: Vec::new(),
    }
}

/// Bits as measured for these keys: an identity number with a known birth date has the fewest.
fn match_keys() -> Vec<MatchKeyRule> {
    let rule = |id: &str, fields: &[Field], transform, strength, bits| MatchKeyRule {
        id: id.to_owned(),
        fields: fields.to_vec(),
        transform,
        strength,
        alone: true,
        bits: Some(bits),
    };
    let names = [Field::FamilyNames, Field::GivenNames].map(|field| (field, Transform::Fold));
    let exact = Transforms::All(Transform::Exact);
    vec![
        rule(
            "national-id",
            &[Field::NationalId, Field::NationalIdType],
            exact.clone(),
            Strength::Strong,
            23,
        ),
        rule(
            "document",
            &[Field::DocumentNumber, Field::DocumentState],
            exact,
            Strength::Strong,
            30,
        ),
        rule(
            "name-dob",
            &[Field::FamilyNames, Field::GivenNames, Field::Dob],
            Transforms::PerField(names.into()),
            Strength::Medium,
            30,
        ),
    ]
}
