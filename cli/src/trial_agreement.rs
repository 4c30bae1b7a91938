//! The agreement of a trial on this machine: what `demo` and `bench` let their two nodes sign.

use mandorla_agreement::{
    Agreement, DraftContacts, DraftDataset, DraftInput, DraftLegal, DraftParty, DraftScope,
    Duration, Instant, PartyType, PublicKey, Regime, day_start_s, draft,
};
use mandorla_control::{ApiError, Card};
use mandorla_linkage::{Field, MatchKeyRule, PROFILE};

use crate::failure::internal;

/// A trial's agreement lasts this long.
const LIFE_S: u64 = 30 * 86_400;

/// Purpose code of trials.
pub(crate) const PURPOSE: &str = "trial";

/// What differs between trials.
#[derive(Clone, Debug)]
pub(crate) struct Trial<'a> {
    /// Id of the agreement.
    pub id: &'a str,
    /// Title for people.
    pub title: &'a str,
    /// Cards of the requester and the responder.
    pub cards: [&'a Card; 2],
    /// Their datasets: name and most subjects.
    pub datasets: [(&'a str, u64); 2],
    /// Match keys.
    pub match_keys: Vec<MatchKeyRule>,
    /// When the one answer comes, seconds after the question.
    pub slot_s: u64,
    /// Places in an answer.
    pub max_release: u32,
    /// More hits than this need a second officer.
    pub max_overlap: u64,
    /// Fields that may be released.
    pub fields_on_match: Vec<Field>,
    /// Whether it stays in pilot until it is activated: for lists that are marked as test data.
    pub pilot: bool,
}

impl Trial<'_> {
    /// The text, which parses.
    pub(crate) fn text(&self) -> Result<String, ApiError> {
        let today_s = day_start_s(crate::when::now_s());
        let [requester, responder] = [0, 1].map(|side| self.party(side));
        let subjects_max = self.datasets[0].1.max(1);
        let text = draft(&DraftInput {
            id: self.id.to_owned(),
            title: self.title.to_owned(),
            parties: [requester?, responder?],
            both_directions: false,
            not_before: Instant::from_s(today_s),
            expires: Instant::from_s(today_s + LIFE_S),
            review_due: Instant::from_s(today_s + LIFE_S / 2),
            pilot_required: self.pilot,
            purpose_code: PURPOSE.to_owned(),
            purpose_text: "a trial with invented people".to_owned(),
            regime: Regime::LawEnforcement,
            offence_categories: Vec::new(),
            policy_context: Vec::new(),
            scope: DraftScope::default(),
            profile: PROFILE.to_owned(),
            match_keys: self.match_keys.clone(),
            min_set: 1,
            max_set: subjects_max,
            rounds_per_day: 10,
            min_interval: Duration::from_s(0),
            slots: vec![Duration::from_s(self.slot_s)],
            fetch_window: Duration::from_s(60),
            question_deadline: Duration::from_s(600),
            max_release: self.max_release,
            item_bytes: 1_024,
            fields_on_match: self.fields_on_match.clone(),
            forbidden_fields: vec![Field::Phone, Field::Iban],
        });
        let text = self.with_max_overlap(&text)?;
        Agreement::parse(text.as_bytes()).map_err(internal)?;
        Ok(text)
    }

    /// A draft takes as many hits without a second officer as an answer has places.
    fn with_max_overlap(&self, text: &str) -> Result<String, ApiError> {
        let drafted = format!("\nmax_overlap = {} ", self.max_release);
        if text.matches(&drafted).count() != 1 {
            return Err(internal("the drafted agreement has no max_overlap to set"));
        }
        Ok(text.replace(&drafted, &format!("\nmax_overlap = {} ", self.max_overlap)))
    }

    fn party(&self, side: usize) -> Result<DraftParty, ApiError> {
        let (id, max_records) = self.datasets[side];
        let dataset = DraftDataset {
            id: id.to_owned(),
            max_records: max_records.max(1),
        };
        party_of(self.cards[side], vec![dataset])
    }
}

/// The party that a card describes, for a draft of a trial with invented people.
///
/// # Errors
/// The card lacks a name or a key.
pub fn party_of(card: &Card, datasets: Vec<DraftDataset>) -> Result<DraftParty, ApiError> {
    let card: toml::Table = card.card.parse().map_err(internal)?;
    let text = |name: &str| {
        let value = card.get(name).and_then(|value| value.as_str());
        value
            .map(str::to_owned)
            .ok_or_else(|| internal(format!("a card without {name}")))
    };
    let key = |name: &str| {
        public_key(&text(name)?).ok_or_else(|| internal(format!("a card without a valid {name}")))
    };
    Ok(DraftParty {
        code: text("code")?,
        name: text("name")?,
        country: text("country")?,
        kind: PartyType::Police,
        signing_key: key("signing_key")?,
        transport_key: key("transport_key")?,
        release_key: key("release_key")?,
        datasets,
        contacts: DraftContacts::all("whoever runs the trial"),
        legal: DraftLegal::none_needed("no law is needed: the people are invented"),
        two_person_when: Vec::new(),
    })
}

/// 64 hexadecimal digits.
fn public_key(hex: &str) -> Option<PublicKey> {
    let mut bytes = [0; 32];
    (hex.len() == 64 && hex.is_ascii()).then_some(())?;
    for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    PublicKey::from_bytes(bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use mandorla_linkage::generate::demo_rules;

    use super::*;

    /// Multiples of the base point of Ed25519, from RFC 8032, section 7.1, and the example keys of its tests.
    const KEYS: [&str; 6] = [
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "5866666666666666666666666666666666666666666666666666666666666666",
    ];

    pub(crate) fn cards() -> [Card; 2] {
        let card = |code: &str, keys: &[&str]| Card {
            card: format!(
                "schema = 1\ncode = \"{code}\"\nname = \"Agency\"\ncountry = \"{code}\"\naddress = \"127.0.0.1:1\"\n\
                 signing_key = \"{}\"\ntransport_key = \"{}\"\nrelease_key = \"{}\"\n",
                keys[0], keys[1], keys[2]
            ),
            fingerprint: String::new(),
        };
        [card("GB", &KEYS[..3]), card("RS", &KEYS[3..])]
    }

    #[test]
    fn the_agreement_of_a_trial_is_valid_and_says_what_was_asked_for() {
        let [gb, rs] = cards();
        let trial = Trial {
            id: "demo",
            title: "Demonstration",
            cards: [&gb, &rs],
            datasets: [("watch", 1_000), ("register", 1_200)],
            match_keys: demo_rules().match_key_rules().to_vec(),
            slot_s: 8,
            max_release: 64,
            pilot: true,
            max_overlap: 500,
            fields_on_match: vec![Field::FamilyNames, Field::Dob],
        };
        let agreement = Agreement::parse(trial.text().unwrap().as_bytes()).unwrap();
        let terms = agreement.terms();
        assert_eq!(terms.answer.slots_s(), [8]);
        assert_eq!(terms.answer.max_release, 64);
        assert_eq!(terms.result.max_overlap, 500);
        assert_eq!(terms.purpose.code, PURPOSE);
        assert_eq!(agreement.directions().len(), 1);
        assert!(terms.not_before.as_s() <= crate::when::now_s());
        assert_eq!(terms.dataset[1].max_records, 1_200);
    }

    #[test]
    fn a_card_without_keys_is_refused() {
        let [gb, rs] = cards();
        let broken = Card {
            card: rs.card.replace("release_key", "other_key"),
            ..rs
        };
        let trial = Trial {
            id: "demo",
            title: "Demonstration",
            cards: [&gb, &broken],
            datasets: [("a", 1), ("b", 1)],
            match_keys: demo_rules().match_key_rules().to_vec(),
            slot_s: 8,
            max_release: 64,
            pilot: true,
            max_overlap: 64,
            fields_on_match: Vec::new(),
        };
        assert!(trial.text().unwrap_err().message.contains("release_key"));
    }
}
