//! A whole round between two nodes in one process, and every byte that they sent each other.

#[rustfmt::skip] // belongs to another crate
#[allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "the test world of the protocol, of which a whole round is used here"
)]
#[path = "../../../protocol/tests/world/world.rs"]
mod world;

use mandorla_protocol::{Message, Terms};
use world::{Coins, Plan, World, subject};

use super::{Jmbg, Knowledge};

/// Items that the responder's authoriser released, at most.
const RELEASED_MAX: u16 = 8;

/// An honest round in which each subject has one match key, its number. All hits are released, up to eight.
pub struct CapturedRound {
    terms: Terms,
    messages: Vec<(String, Vec<u8>)>,
    requesters_key: [u8; 32],
    responders_seed: [u8; 32],
    pairs: usize,
    released: usize,
}

impl CapturedRound {
    /// Plays the round. All random values come from `seed`; no byte of a message depends on anything else but the
    /// two lists.
    ///
    /// # Panics
    /// If an honest round does not come to its end.
    pub fn play(seed: u64, requester: &[Jmbg], responder: &[Jmbg]) -> Self {
        let subjects = |numbers: &[Jmbg]| {
            numbers
                .iter()
                .map(|number| subject(&[(0, number.as_str())]))
                .collect()
        };
        let mut plan = Plan::new(seed, subjects(requester), subjects(responder));
        plan.key_types = vec!["national-id".to_owned()];
        plan.coins = Coins::from_seed(seed, 1);
        plan.max_release = RELEASED_MAX;
        let requesters_key = plan.coins.evaluation_keys[0];
        let responders_seed = plan.coins.blind_seed;
        let mut world = World::new(plan);
        let report = world
            .run()
            .unwrap_or_else(|stop| panic!("an honest round: {stop:?}"));
        Self {
            terms: report.awaiting.terms().clone(),
            messages: world.transcript,
            requesters_key,
            responders_seed,
            pairs: report.outcome.pairs.len(),
            released: report.items.len(),
        }
    }

    /// The round with one more message, as a careless node would send it: for the control that an attack finds what
    /// is there.
    #[must_use]
    pub fn with_message(mut self, bytes: Vec<u8>) -> Self {
        self.messages.push(("one more".to_owned(), bytes));
        self
    }

    /// What both nodes signed first; it can be read from the first two messages.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Every message of both sides in the order of sending, decrypted: more than the network shows.
    pub fn messages(&self) -> impl Iterator<Item = &[u8]> {
        self.messages.iter().map(|(_, bytes)| bytes.as_slice())
    }

    /// The answers among the messages.
    pub fn answers(&self) -> impl Iterator<Item = &[u8]> {
        self.messages()
            .filter(|bytes| bytes.starts_with(b"MNDRANS1"))
    }

    /// Every value of 32 bytes in the messages that a node could hash with an identifier.
    pub fn public_values(&self) -> Vec<[u8; 32]> {
        let (offer, responder) = (self.terms.offer(), self.terms.responder());
        let mut values = vec![
            self.terms.round_id().0,
            offer.agreement.0,
            offer.requester.0,
            offer.responder.0,
            offer.case_commitment.0,
            offer.dataset_commitment.0,
            offer.rules.0,
            offer.nonce,
            responder.dataset_commitment.0,
            responder.nonce,
        ];
        values.extend(offer.key_types.iter().map(|key_type| key_type.public_key));
        for bytes in self.messages() {
            match Message::from_bytes(bytes) {
                Ok(Message::Evaluated { root, .. }) => values.push(root.0),
                Ok(Message::Seek {
                    question_root,
                    case_salt,
                    ..
                }) => values.extend([question_root.0, case_salt]),
                _ => {}
            }
        }
        values
    }

    /// Pairs that the responder found.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// Items that were released.
    pub fn released(&self) -> usize {
        self.released
    }

    /// The requester's secret, for the control: with it an attack must succeed against the question.
    pub fn requesters_knowledge(&self) -> Knowledge {
        Knowledge {
            evaluation_key: Some(self.requesters_key),
            blind_seed: None,
        }
    }

    /// The responder's secret, for the control: with it an attack must succeed against the blinded points.
    pub fn responders_knowledge(&self) -> Knowledge {
        Knowledge {
            evaluation_key: None,
            blind_seed: Some(self.responders_seed),
        }
    }
}
