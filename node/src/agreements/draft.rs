//! A first text between this node and a peer, with careful defaults.

use std::str::FromStr;

use mandorla_agreement::{
    Agreement, DraftContacts, DraftDataset, DraftInput, DraftLegal, DraftParty, DraftScope,
    Duration, Exclusion, Instant, PartyType, PublicKey, Regime, SET_SUBJECTS_MAX, day_start_s,
    draft as write_draft,
};
use mandorla_control::{AgreementDraft, ApiError, DraftChoices, DraftPartyChoices, ErrorCode};
use mandorla_linkage::{Field, MatchKeyRule, PROFILE, Strength, Transform, Transforms};

use crate::node::{Node, storage};
use crate::peers::{self, CardFields};
use crate::records::dataset::DATASETS;

const DAY_S: u64 = 86_400;
const HOUR_S: u64 = 3_600;

/// A list of some thousand subjects, where nothing is known of its size.
const MAX_RECORDS_DEFAULT: u64 = 50_000;

/// An agreement lasts a year unless somebody says otherwise.
const DAYS_DEFAULT: u32 = 365;

/// What an officer needs to tell two people apart; without the document's state the match key `document` could never be
/// named.
const FIELDS_DEFAULT: [Field; 5] = [
    Field::FamilyNames,
    Field::GivenNames,
    Field::Dob,
    Field::DocumentNumber,
    Field::DocumentState,
];

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
    let DraftChoices { own, other, .. } = &call.choices;
    let own_card = peers::own_card(node);
    let own = party(&own_card, own, own_datasets.collect(), "watchlist")?;
    let other = party(&card, other, Vec::new(), "registry")?;
    let today = day_start_s(node.clock.now_s());
    let text = write_draft(&input(call, [own, other], today)?);
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

/// One of the datasets that were chosen: `NAME`, or `NAME=MOST_SUBJECTS`. What is loaded here has room for itself.
fn dataset(text: &str, loaded: &[DraftDataset]) -> Result<DraftDataset, ApiError> {
    let (id, most) = match text.split_once('=') {
        None => (text, None),
        Some((id, most)) => {
            let most = most.trim().replace(['_', ','], "");
            let most = most
                .parse()
                .map_err(|_| unusable(format!("{text:?}: the most subjects are a whole number")))?;
            (id, Some(most))
        }
    };
    let known = loaded.iter().find(|known| known.id == id.trim());
    let room = known.map_or(MAX_RECORDS_DEFAULT, |known| known.max_records);
    Ok(DraftDataset {
        id: id.trim().to_owned(),
        max_records: most.unwrap_or(room),
    })
}

fn unusable(message: String) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, message).hint("mandorla agreement draft --help")
}

/// A list of words or durations.
fn read_all<T: FromStr<Err: std::fmt::Display>>(texts: &[String]) -> Result<Vec<T>, ApiError> {
    texts.iter().map(|text| read(text)).collect()
}

fn one<T: FromStr<Err: std::fmt::Display>>(text: Option<&String>) -> Result<Option<T>, ApiError> {
    text.map(|text| read(text)).transpose()
}

fn read<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, ApiError> {
    let text = text.trim();
    text.parse()
        .map_err(|error: T::Err| unusable(format!("{text:?}: {error}")))
}

fn party(
    card: &CardFields,
    choices: &DraftPartyChoices,
    loaded: Vec<DraftDataset>,
    placeholder: &str,
) -> Result<DraftParty, ApiError> {
    let chosen = choices.datasets.iter().map(|text| dataset(text, &loaded));
    let chosen = chosen.collect::<Result<Vec<_>, _>>()?;
    let datasets = if chosen.is_empty() { loaded } else { chosen };
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
        contacts: DraftContacts {
            authoriser: choices.authoriser.clone(),
            dpo: choices.dpo.clone(),
            supervisory_authority: choices.supervisory_authority.clone(),
        },
        legal: DraftLegal {
            instrument: choices.instrument.clone(),
            basis: choices.basis.clone(),
            transfer_basis: choices.transfer_basis.clone(),
            dpia_ref: choices.dpia_ref.clone(),
        },
        two_person_when: Vec::new(),
    })
}

fn input(
    call: &AgreementDraft,
    parties: [DraftParty; 2],
    today: u64,
) -> Result<DraftInput, ApiError> {
    let choices = &call.choices;
    let regime = match choices.regime.as_deref() {
        None | Some("law-enforcement") => Regime::LawEnforcement,
        Some("general") => Regime::General,
        Some(other) => {
            return Err(unusable(format!(
                "the regime is law-enforcement or general, not {other:?}"
            )));
        }
    };
    let or = |chosen: Vec<Field>, default: &[Field]| {
        if chosen.is_empty() {
            default.to_vec()
        } else {
            chosen
        }
    };
    let mut slots: Vec<Duration> = read_all(&choices.slots)?;
    if slots.is_empty() {
        slots.push(Duration::from_s(DAY_S));
    }
    let life_s = u64::from(choices.days.unwrap_or(DAYS_DEFAULT).max(1)) * DAY_S;
    let forbidden_fields: Vec<Field> = read_all(&choices.forbidden)?;
    let mut fields_on_match = or(read_all(&choices.fields)?, &FIELDS_DEFAULT);
    if choices.fields.is_empty() {
        fields_on_match.retain(|field| !forbidden_fields.contains(field));
    }
    Ok(DraftInput {
        id: call.id.clone(),
        title: call.title.clone(),
        parties,
        both_directions: !choices.one_way,
        not_before: Instant::from_s(today),
        expires: Instant::from_s(today + life_s),
        review_due: Instant::from_s(today + life_s / 2),
        pilot_required: !choices.no_pilot,
        // What is empty becomes a placeholder.
        purpose_code: choices.purpose.clone().unwrap_or_default(),
        purpose_text: choices.purpose_text.clone().unwrap_or_default(),
        regime,
        offence_categories: Vec::new(),
        policy_context: Vec::new(),
        scope: DraftScope {
            // Some people must never be asked about; who signs may take a word out.
            exclude: Exclusion::ALL.to_vec(),
            ..DraftScope::default()
        },
        profile: PROFILE.to_owned(),
        match_keys: match_keys(),
        min_set: choices.min_set.unwrap_or(20),
        max_set: choices.max_set.unwrap_or(10_000),
        rounds_per_day: choices.rounds_per_day.unwrap_or(2),
        min_interval: one(choices.min_interval.as_ref())?.unwrap_or(Duration::from_s(HOUR_S)),
        slots,
        fetch_window: Duration::from_s(2 * DAY_S),
        question_deadline: Duration::from_s(3 * DAY_S),
        max_release: choices.max_release.unwrap_or(64),
        item_bytes: 1_024,
        fields_on_match,
        forbidden_fields,
    })
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
