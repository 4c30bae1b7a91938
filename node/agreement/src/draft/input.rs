//! What a draft is made from.

use mandorla_linkage::{Exclusion, Field, MatchKeyRule};

use crate::terms::{PartyType, PublicKey, Regime};
use crate::time::{Duration, Instant};
use crate::two_person::TwoPersonWhen;

/// What a draft needs to know; everything else is a careful default that people then edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftInput {
    /// Name of the agreement.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// Both parties; the first asks.
    pub parties: [DraftParty; 2],
    /// Whether the second may ask, too.
    pub both_directions: bool,
    /// Start.
    pub not_before: Instant,
    /// End.
    pub expires: Instant,
    /// When it is reviewed.
    pub review_due: Instant,
    /// Whether a pilot comes first.
    pub pilot_required: bool,
    /// Purpose code.
    pub purpose_code: String,
    /// Purpose in words.
    pub purpose_text: String,
    /// Legal regime.
    pub regime: Regime,
    /// Offences that it serves.
    pub offence_categories: Vec<String>,
    /// Declarations and papers that explain the agreement and are no legal ground.
    pub policy_context: Vec<String>,
    /// Whom it is about.
    pub scope: DraftScope,
    /// Normalisation profile of the linkage rules.
    pub profile: String,
    /// Match keys, in the order of their type numbers.
    pub match_keys: Vec<MatchKeyRule>,
    /// Fewest subjects on a side.
    pub min_set: u64,
    /// Most subjects in a question.
    pub max_set: u64,
    /// Rounds per day and direction.
    pub rounds_per_day: u32,
    /// Time between two rounds.
    pub min_interval: Duration,
    /// Answer slots.
    pub slots: Vec<Duration>,
    /// How long an answer can be fetched.
    pub fetch_window: Duration,
    /// How long the requester's authoriser may take.
    pub question_deadline: Duration,
    /// Places in an answer.
    pub max_release: u32,
    /// Room for an item.
    pub item_bytes: u32,
    /// Fields that may be released, in both directions.
    pub fields_on_match: Vec<Field>,
    /// Fields that never leave.
    pub forbidden_fields: Vec<Field>,
}

/// One party of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftParty {
    /// Short code.
    pub code: String,
    /// Name of the agency.
    pub name: String,
    /// Country.
    pub country: String,
    /// Kind of agency.
    pub kind: PartyType,
    /// Key that signs terms and agreements.
    pub signing_key: PublicKey,
    /// Key of connections.
    pub transport_key: PublicKey,
    /// Key that signs released items.
    pub release_key: PublicKey,
    /// Datasets of this party.
    pub datasets: Vec<DraftDataset>,
    /// Who is reached where.
    pub contacts: DraftContacts,
    /// Legal ground of this party.
    pub legal: DraftLegal,
    /// When this party needs a second officer, beside more hits than `max_overlap`.
    pub two_person_when: Vec<TwoPersonWhen>,
}

/// Contacts of a party; what is absent becomes a placeholder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DraftContacts {
    /// Where the authoriser is reached.
    pub authoriser: Option<String>,
    /// Where the data-protection officer is reached.
    pub dpo: Option<String>,
    /// Supervisory authority.
    pub supervisory_authority: Option<String>,
}

impl DraftContacts {
    /// The same text in every place: for trials with invented people.
    pub fn all(text: &str) -> Self {
        Self {
            authoriser: Some(text.to_owned()),
            dpo: Some(text.to_owned()),
            supervisory_authority: Some(text.to_owned()),
        }
    }
}

/// Legal ground of a party; what is absent becomes a placeholder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DraftLegal {
    /// Law or treaty.
    pub instrument: Option<String>,
    /// Ground of the processing.
    pub basis: Option<String>,
    /// Ground of the transfer.
    pub transfer_basis: Option<String>,
    /// Reference of the impact assessment.
    pub dpia_ref: Option<String>,
}

impl DraftLegal {
    /// The same text in every place but the impact assessment: for trials with invented people, which need no law.
    pub fn none_needed(why: &str) -> Self {
        Self {
            instrument: Some(why.to_owned()),
            basis: Some(why.to_owned()),
            transfer_basis: Some(why.to_owned()),
            dpia_ref: None,
        }
    }
}

/// Whom a draft is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DraftScope {
    /// Categories of subjects, in words.
    pub subject_categories: Vec<String>,
    /// Only these nationalities; empty: all.
    pub nationalities_in: Vec<String>,
    /// None of these.
    pub nationalities_out: Vec<String>,
    /// None with these properties.
    pub exclude: Vec<Exclusion>,
}

/// One dataset of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftDataset {
    /// Name on its owner's node.
    pub id: String,
    /// Most subjects.
    pub max_records: u64,
}
