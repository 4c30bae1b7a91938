//! The clauses of an agreement, as written.
//!
//! Every field says what the program does with it: *enforced* (a node refuses what breaks it), *displayed* (shown
//! beside decisions, to people) or *recorded* (kept in the ledger and in reports).

use std::collections::BTreeMap;
use std::fmt;

use ed25519_dalek::VerifyingKey;
use mandorla_linkage::{DefaultDob, Exclusion, Field, MatchKeyRule};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

use crate::time::{Duration, Instant};
use crate::two_person::TwoPersonWhen;

/// The whole agreement. An unknown key anywhere is an error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Format of the file; 1. Enforced.
    pub schema: u32,
    /// Name of the agreement, the same in all its versions. Recorded.
    pub id: String,
    /// Version, from 1. Recorded.
    pub version: u32,
    /// Hash (64 hex digits) of the agreement that this one replaces. Recorded.
    pub supersedes: Option<String>,
    /// Title for people. Displayed.
    pub title: String,
    /// No round before this instant. Enforced.
    pub not_before: Instant,
    /// No round whose last answer could come after this instant. Enforced.
    pub expires: Instant,
    /// When both sides look at the agreement again. Displayed.
    pub review_due: Instant,
    /// Whether a pilot on synthetic data comes before real data. Enforced.
    pub pilot_required: bool,
    /// Declarations and papers that explain the agreement and are no legal basis. Displayed.
    #[serde(default)]
    pub policy_context: Vec<String>,
    /// The two parties. Enforced.
    pub party: Vec<Party>,
    /// The one purpose of the agreement. Enforced.
    pub purpose: Purpose,
    /// Legal ground of each party, by code. Displayed and recorded.
    pub legal: BTreeMap<String, Legal>,
    /// Whom the agreement is about.
    pub scope: Scope,
    /// Datasets that may take part. Enforced.
    pub dataset: Vec<Dataset>,
    /// Linkage rules.
    pub linkage: Linkage,
    /// Match keys, in the order of their type numbers; each needs its `bits`, the min-entropy when likely values are
    /// guessed first. Enforced.
    pub match_key: Vec<MatchKeyRule>,
    /// Caps per direction, `A_to_B`: A asks, B's records are asked about. A direction that is absent is not permitted.
    pub limits: BTreeMap<String, Limits>,
    /// What a result is.
    pub result: ResultTerms,
    /// When and in what size answers come.
    pub answer: Answer,
    /// What an answer may contain, per direction `A_to_B`: fields of B's records for A.
    pub disclosure: BTreeMap<String, Disclosure>,
    /// How each party decides, by code.
    pub review: BTreeMap<String, Review>,
    /// How a recipient treats what it receives.
    pub handling: Handling,
    /// How long things are kept.
    pub retention: Retention,
    /// What happens at the end.
    pub exit: Exit,
}

/// One of the two agencies.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Short code, `[A-Z][A-Z0-9-]{1,15}`. Enforced.
    pub code: String,
    /// Name of the agency. Displayed and recorded.
    pub name: String,
    /// ISO 3166 two-letter country. Displayed and recorded.
    pub country: String,
    /// Kind of agency. Displayed.
    #[serde(rename = "type")]
    pub kind: PartyType,
    /// Ed25519 key that signs terms, answers and this agreement. Enforced.
    pub signing_key: PublicKey,
    /// Ed25519 key of the node's connections. Enforced.
    pub transport_key: PublicKey,
    /// Ed25519 key that signs approvals and released items; used by review code only. Enforced.
    pub release_key: PublicKey,
    /// Where the authoriser is reached. Displayed.
    pub authoriser_contact: String,
    /// Where the data-protection officer is reached. Displayed.
    pub dpo_contact: String,
    /// Supervisory authority. Displayed.
    pub supervisory_authority: String,
}

/// Kind of agency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartyType {
    /// Police.
    Police,
    /// Immigration authority.
    Immigration,
    /// Customs.
    Customs,
    /// Prosecution service.
    Prosecution,
    /// Intelligence service.
    Intelligence,
}

/// An Ed25519 public key (RFC 8032), written as 64 hex digits; not of low order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The 32 bytes of the encoding.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 32 bytes; `None` if they are not the encoding of a usable key.
    pub fn from_bytes(bytes: [u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(&bytes).ok()?;
        (!key.is_weak()).then_some(Self(bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes)
            .map_err(|_| de::Error::custom("expected 64 hex digits"))?;
        Self::from_bytes(bytes).ok_or_else(|| de::Error::custom("not an Ed25519 public key"))
    }
}

/// `[purpose]`: one purpose, one legal regime.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// Code that every round names. Enforced and recorded.
    pub code: String,
    /// The purpose in words. Displayed.
    pub text: String,
    /// Legal regime of the processing. Displayed and recorded.
    pub regime: Regime,
    /// Offences it serves. Displayed.
    pub offence_categories: Vec<String>,
}

/// Legal regime of the processing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// Prevention, investigation, detection or prosecution of offences.
    LawEnforcement,
    /// The general data-protection regime.
    General,
}

/// `[legal.<PARTY>]`: why this party may ask, answer and transfer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Legal {
    /// Law or treaty. Displayed and recorded.
    pub instrument: String,
    /// Basis of the processing. Displayed and recorded.
    pub basis: String,
    /// Basis of the transfer to the other country. Displayed and recorded.
    pub transfer_basis: String,
    /// Reference of the impact assessment. Recorded.
    pub dpia_ref: String,
}

/// `[scope]`: whom the agreement is about.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Categories of subjects, in words. Displayed.
    pub subject_categories: Vec<String>,
    /// Only subjects with one of these nationalities (ISO 3166 codes of two or three letters); empty: all. Who has no
    /// known nationality stays out then. Enforced by each side on its own records.
    #[serde(default)]
    pub nationalities_in: Vec<String>,
    /// No subject with one of these nationalities. Enforced likewise.
    #[serde(default)]
    pub nationalities_out: Vec<String>,
    /// No subject with one of these properties. Enforced likewise.
    pub exclude: Vec<Exclusion>,
}

/// `[[dataset]]`: a list that may take part.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Code of its owner. Enforced.
    pub party: String,
    /// Name on the owner's node. Enforced.
    pub id: String,
    /// Most subjects it may have in a round. Enforced by its owner.
    pub max_records: u64,
    /// Oldest load that may take part, in days. Enforced by its owner.
    pub max_age_days: u32,
    /// Fields that it must have. Enforced by its owner.
    pub required_columns: Vec<Field>,
}

/// `[linkage]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linkage {
    /// Normalisation profile, with its version. Enforced: both nodes must have it.
    pub profile: String,
    /// What a birth date of 1 January counts as. Enforced.
    pub default_dob_policy: DefaultDob,
}

/// `[limits.A_to_B]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Fewest subjects on either side of a round. Enforced: exactly on one's own set, by padded class on the peer's.
    pub min_set: u64,
    /// Most subjects in a question. Enforced likewise.
    pub max_set: u64,
    /// Most subjects of the responder in a round; default: its largest dataset's `max_records`. Enforced likewise.
    pub responder_max_set: Option<u64>,
    /// Most match keys of a subject; default: the number of match keys. Enforced on the sum: a question has at most
    /// `max_set` times as many cells.
    pub keys_per_subject_max: Option<u32>,
    /// Rounds per UTC day. Enforced.
    pub rounds_per_day: u32,
    /// Padded question sizes per UTC calendar month, in all. Enforced.
    pub subjects_per_month: u64,
    /// Time between the starts of two rounds. Enforced.
    pub min_interval: Duration,
    /// Quota per match key: how often the requester evaluates for the responder. Enforced by the requester.
    pub evaluations: BTreeMap<String, EvaluationQuota>,
}

/// `[limits.A_to_B.evaluations.<match key id>]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationQuota {
    /// Most evaluations in a period; padded sizes count. Enforced.
    pub count: u64,
    /// The period. Enforced.
    pub period: Duration,
    /// `count` is at most 2^(bits − guess_margin_bits) of the match key. Enforced.
    pub guess_margin_bits: u32,
}

/// `[result]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultTerms {
    /// Life of the keys; `fresh`. Enforced.
    pub mode: ResultMode,
    /// Length of a standing epoch; only with `standing`. Enforced.
    pub epoch_days: Option<u32>,
    /// Whether the responder can recognise repeats; only with `standing`. Enforced.
    pub repeat_questions: Option<RepeatQuestions>,
    /// Hits above which a second officer is required; never tells the requester. Enforced.
    pub max_overlap: u32,
    /// Most requester subjects per own subject; above it that subject is dropped, silently. Enforced.
    pub max_pairs: u32,
}

/// Life of the keys of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultMode {
    /// New keys for each round.
    Fresh,
    /// Keys that live for an epoch.
    Standing,
}

/// Whether repeat questions of a standing epoch can be told to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RepeatQuestions {
    /// Cells are bound to the question.
    Unlinkable,
    /// Cells are bound to the epoch.
    Linkable,
}

/// `[answer]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// When answers come, counted from the acknowledged question; ascending. Enforced.
    pub slots: Vec<Duration>,
    /// Places in an answer, filled or not. Enforced.
    pub max_release: u32,
    /// Room for one item's package, in bytes, filled or not. Enforced.
    pub item_bytes: u32,
    /// How long an answer can be fetched after its slot, in hours. Enforced. Either this or `fetch_window`.
    pub fetch_hours: Option<u32>,
    /// The same as a duration.
    pub fetch_window: Option<Duration>,
    /// How long the requester's authoriser may take before the round lapses. Enforced.
    pub question_deadline: Duration,
    /// Whether the requester discloses own fields in return; `false`. Enforced.
    #[serde(default)]
    pub reciprocal: bool,
}

/// `[disclosure.A_to_B]`: what A may receive of B's records.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// Fields that may be released, in the order shown. Enforced.
    pub fields_on_match: Vec<Field>,
    /// Fields that never leave. Enforced.
    #[serde(default)]
    pub forbidden_fields: Vec<Field>,
}

/// `[review.<PARTY>]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Hours in which this party means to decide. Displayed and recorded.
    pub sla_hours: u32,
    /// What an undecided item becomes; `refuse`. Enforced.
    pub on_expiry: ExpiryRule,
    /// When a second officer must release, too; more hits than `result.max_overlap` always need one. Enforced.
    #[serde(default)]
    pub two_person_when: Vec<TwoPersonWhen>,
}

/// What an undecided item becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpiryRule {
    /// It is refused.
    Refuse,
}

/// `[handling]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handling {
    /// Handling code of items. Displayed and recorded.
    pub default_code: String,
    /// Caveats printed with every item. Displayed.
    #[serde(default)]
    pub caveats: Vec<String>,
    /// Whether and how it may be passed on. Displayed and recorded.
    pub onward: String,
}

/// `[retention]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Days the responder keeps hits it did not release, after the round closed. Recorded.
    pub candidates_days: u32,
    /// Days the requester keeps released items. Displayed and recorded.
    pub disclosed_days: u32,
    /// Years both keep their ledgers. Recorded.
    pub log_years: u32,
}

/// `[exit]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    /// Days of notice to end the agreement in an orderly way; suspension needs none. Displayed.
    pub notice_days: u32,
    /// What happens to received items at the end. Displayed.
    pub received_items: String,
}
