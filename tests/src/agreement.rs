//! Agreements of whole-system tests: the draft of the program with what a test varies.

use mandorla_agreement::{
    Agreement, DraftDataset, DraftInput, DraftScope, Duration, Instant, Regime, day_start_s, draft,
};
use mandorla_cli::world::party_of;
use mandorla_control::{ApiError, Card};
use mandorla_linkage::{
    DefaultDob, Field, LinkageRules, MatchKeyRule, PROFILE, Strength, Transforms,
};

/// Purpose code of every test's agreement.
pub const PURPOSE: &str = "test";

const DAY_S: i64 = 86_400;
/// A quota that no test reaches: what is asked here is asked many times a day.
const KEY_BITS: u16 = 60;

/// What differs between agreements of tests.
#[derive(Clone, Debug)]
pub struct Deal {
    /// Id of the agreement.
    pub id: String,
    /// Datasets of the requester and of the responder.
    pub datasets: [String; 2],
    /// Match keys, in the order of their types.
    pub match_keys: Vec<MatchKeyRule>,
    /// Answer slots, seconds after the question.
    pub slots_s: Vec<u64>,
    /// How long an answer can be fetched.
    pub fetch_window_s: u64,
    /// How long the requester's authoriser may take.
    pub question_deadline_s: u64,
    /// Places in an answer.
    pub max_release: u32,
    /// Room for an item.
    pub item_bytes: u32,
    /// Most requester subjects per own subject.
    pub max_pairs: u32,
    /// More hits than this need a second officer.
    pub max_overlap: u64,
    /// Fewest subjects on either side.
    pub min_set: u64,
    /// Most subjects on either side.
    pub max_set: u64,
    /// Rounds per day.
    pub rounds_per_day: u32,
    /// Days from today to the agreement's beginning.
    pub begins_in_days: i64,
    /// Fields that may be released.
    pub fields_on_match: Vec<Field>,
    /// Fields that never leave.
    pub forbidden_fields: Vec<Field>,
    /// Clauses written otherwise than the draft has them: what stands there, and what shall.
    pub edits: Vec<(&'static str, &'static str)>,
}

impl Default for Deal {
    fn default() -> Self {
        Self {
            id: "GB-RS-test".to_owned(),
            datasets: ["asked".to_owned(), "known".to_owned()],
            match_keys: Vec::new(),
            slots_s: vec![4],
            fetch_window_s: 60,
            question_deadline_s: 600,
            max_release: 64,
            item_bytes: 512,
            max_pairs: 8,
            max_overlap: 100_000,
            min_set: 1,
            max_set: 6_000,
            rounds_per_day: 100,
            begins_in_days: -1,
            fields_on_match: vec![Field::CaseRef],
            forbidden_fields: vec![Field::Phone, Field::Iban],
            edits: Vec::new(),
        }
    }
}

impl Deal {
    /// The linkage rules, for the plaintext join.
    ///
    /// # Panics
    /// If they are not valid.
    pub fn rules(&self) -> LinkageRules {
        // A draft treats 1 January as a placeholder, as the default here does.
        LinkageRules::new(PROFILE, DefaultDob::default(), self.match_keys.clone())
            .expect("a test writes valid linkage rules")
    }

    /// The text of the agreement between two cards' owners.
    ///
    /// # Errors
    /// A card is not valid.
    ///
    /// # Panics
    /// If the agreement is not valid: the test asks for something that cannot be.
    pub fn text(&self, cards: [&Card; 2]) -> Result<String, ApiError> {
        let now_s = std::time::UNIX_EPOCH
            .elapsed()
            .map_or(0, |now| now.as_secs());
        let today_s = day_start_s(now_s);
        let [requester, responder] = [0, 1].map(|side: usize| {
            let dataset = DraftDataset {
                id: self.datasets[side].clone(),
                max_records: self.max_set,
            };
            party_of(cards[side], vec![dataset])
        });
        let seconds = |s: &u64| Duration::from_s(*s);
        let text = draft(&DraftInput {
            id: self.id.clone(),
            title: "Whole-system test".to_owned(),
            parties: [requester?, responder?],
            both_directions: false,
            not_before: Instant::from_s(today_s.saturating_add_signed(self.begins_in_days * DAY_S)),
            expires: Instant::from_s(today_s.saturating_add_signed(30 * DAY_S)),
            review_due: Instant::from_s(today_s.saturating_add_signed(15 * DAY_S)),
            pilot_required: false,
            purpose_code: PURPOSE.to_owned(),
            purpose_text: "a test with invented people".to_owned(),
            regime: Regime::LawEnforcement,
            offence_categories: Vec::new(),
            policy_context: Vec::new(),
            scope: DraftScope::default(),
            profile: PROFILE.to_owned(),
            match_keys: self.match_keys.clone(),
            min_set: self.min_set,
            max_set: self.max_set,
            rounds_per_day: self.rounds_per_day,
            min_interval: Duration::from_s(0),
            slots: self.slots_s.iter().map(seconds).collect(),
            fetch_window: Duration::from_s(self.fetch_window_s),
            question_deadline: Duration::from_s(self.question_deadline_s),
            max_release: self.max_release,
            item_bytes: self.item_bytes,
            fields_on_match: self.fields_on_match.clone(),
            forbidden_fields: self.forbidden_fields.clone(),
        });
        let text = with(
            &text,
            "max_overlap",
            u64::from(self.max_release.max(1)),
            self.max_overlap,
        );
        let text = with(&text, "max_pairs", 8, self.max_pairs.into());
        let edited = self.edits.iter().fold(text, |text, (drafted, wanted)| {
            assert!(text.contains(drafted), "the draft has {drafted}");
            text.replace(drafted, wanted)
        });
        let text = edited;
        if let Err(error) = Agreement::parse(text.as_bytes()) {
            panic!("the test's agreement is not valid: {error}");
        }
        Ok(text)
    }
}

/// Puts another number where the draft has its default.
fn with(text: &str, name: &str, drafted: u64, wanted: u64) -> String {
    let drafted = format!("\n{name} = {drafted} ");
    assert_eq!(
        text.matches(&drafted).count(),
        1,
        "the draft names {name} once"
    );
    text.replace(&drafted, &format!("\n{name} = {wanted} "))
}

/// A match key.
pub fn match_key(
    id: &str,
    fields: &[Field],
    transform: Transforms,
    strength: Strength,
    alone: bool,
) -> MatchKeyRule {
    MatchKeyRule {
        id: id.to_owned(),
        fields: fields.to_vec(),
        transform,
        strength,
        alone,
        bits: Some(KEY_BITS),
    }
}

/// Of the number of an identity card, as it is written: alone a hit.
pub fn number_key() -> MatchKeyRule {
    match_key(
        "number",
        &[Field::NationalId],
        Transforms::default(),
        Strength::Strong,
        true,
    )
}
