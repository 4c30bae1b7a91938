//! Rounds, on either side.

use mandorla_protocol::{Digest, Terms, decode, encode};
use mandorla_store::{AgreementRef, Table};
use serde::{Deserialize, Serialize};

use crate::records::dataset::DatasetRecord;

use crate::sealing::SealedSeed;

/// By round id on this node, `R-…` (asked by us) or `Q-…` (asked of us).
pub(crate) const ROUNDS: Table<&str, RoundRecord> = Table::new("rounds");
/// Round id on the wire, hexadecimal → round id on this node.
pub(crate) const ROUNDS_BY_WIRE: Table<&str, String> = Table::new("rounds_by_wire");
/// (round, chunk number): chunks sent, and verified, by the responder.
/// Kept after the evaluation where its seed was sealed: an audit compares them with what the seed gives.
pub(crate) const CHUNKS: Table<(&str, u64), ChunkRecord> = Table::new("chunks");
/// (round, slot): answers, as frozen or as received.
pub(crate) const ANSWERS: Table<(&str, u64), AnswerRecord> = Table::new("answers");

/// Which side of a round this node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    Requester,
    Responder,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Requester, Self::Responder];

    /// The direction of rounds in which this node has this side, in an auditor's words.
    pub(crate) fn direction(self) -> &'static str {
        match self {
            Self::Requester => "we ask",
            Self::Responder => "they ask",
        }
    }

    /// The side behind those words.
    pub(crate) fn of_direction(words: &str) -> Option<Self> {
        Self::BOTH
            .into_iter()
            .find(|side| side.direction() == words)
    }
}

/// Where a round stands. Each but the last two waits for something named in the comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RoundState {
    /// Terms; the requester's keys are in memory only.
    Negotiating,
    /// The evaluation.
    Evaluating,
    /// Requester: the own authoriser. Responder: the question.
    AwaitingApproval,
    /// Requester: the acknowledgement of the question.
    Sending,
    /// Requester: word to the peer that no question comes.
    Withdrawing,
    /// Requester: the slots.
    AwaitingAnswers,
    /// Responder: the match.
    Questioned,
    /// Responder: decisions and slots.
    Matched,
    Closed,
    Ended,
}

impl RoundState {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Negotiating => "negotiating",
            Self::Evaluating => "evaluating",
            Self::AwaitingApproval => "awaiting-approval",
            Self::Sending => "sending",
            Self::Withdrawing => "withdrawing",
            Self::AwaitingAnswers => "awaiting-answers",
            Self::Questioned => "questioned",
            Self::Matched => "matched",
            Self::Closed => "closed",
            Self::Ended => "ended",
        }
    }

    /// Every state of a round that goes on.
    pub(crate) const OPEN: [Self; 8] = [
        Self::Negotiating,
        Self::Evaluating,
        Self::AwaitingApproval,
        Self::Sending,
        Self::Withdrawing,
        Self::AwaitingAnswers,
        Self::Questioned,
        Self::Matched,
    ];

    /// Every state: for steps that say themselves why they have no place.
    pub(crate) const ALL: [Self; 10] = [
        Self::Negotiating,
        Self::Evaluating,
        Self::AwaitingApproval,
        Self::Sending,
        Self::Withdrawing,
        Self::AwaitingAnswers,
        Self::Questioned,
        Self::Matched,
        Self::Closed,
        Self::Ended,
    ];

    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Ended)
    }
}

/// A round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RoundRecord {
    pub id: String,
    pub side: Side,
    pub revision: u64,
    pub state: RoundState,
    /// Why it ended, or what the state waits for.
    pub detail: String,
    /// Party code of the peer.
    pub peer: String,
    pub agreement: String,
    pub agreement_version: u32,
    /// Hash of its exact text, hexadecimal.
    pub agreement_hash: String,
    pub purpose: String,
    pub case_reference: Option<String>,
    /// Own dataset, and the generation of its rows that this round uses.
    pub dataset: String,
    pub generation: u64,
    pub peer_dataset: String,
    pub subjects: u64,
    /// Whom the node's policy excluded when the round began.
    #[serde(default)]
    pub policy_scope: String,
    pub proposed_by: Option<String>,
    /// The account of who proposed it, where it is known: one person may have two names.
    #[serde(default)]
    pub proposed_by_uid: Option<u32>,
    pub started_at: u64,
    /// How often the evaluation was begun: keys live in memory, so a crash starts it anew.
    pub attempts: u32,
    /// Hexadecimal of the encoded terms, once signed.
    pub terms: Option<String>,
    /// Hexadecimal of the state machine's durable record.
    pub machine: Option<String>,
    /// Requester: when the question was sent for the first time.
    #[serde(default)]
    pub first_sent: Option<u64>,
    /// When the question was acknowledged.
    pub t0: Option<u64>,
    pub chunks_done: u64,
    /// The terms are a fact of the pair log.
    pub terms_logged: bool,
    /// Responder: the evaluation is a fact of the pair log.
    pub evaluation_logged: bool,
    /// Responder: root over all chunks, once the evaluation is complete.
    #[serde(default)]
    pub evaluation_root: Option<Digest32>,
    /// Responder: the seed of the blinds, sealed to the auditor; the chunks are kept with it.
    #[serde(default)]
    pub sealed_seed: Option<SealedSeed>,
    /// A withdrawal's reason byte, while the peer has not been told.
    pub withdraw: Option<u8>,
    /// The match found more hits than `max_overlap`.
    pub over_max_overlap: bool,
    /// Responder: places taken in each slot's answer.
    pub places: Vec<u32>,
    pub wire_sent: u64,
    pub wire_received: u64,
}

/// What a round is about, on either side.
pub(crate) struct About<'a> {
    pub peer: &'a str,
    pub agreement: AgreementRef,
    pub purpose: &'a str,
    pub dataset: &'a DatasetRecord,
    pub peer_dataset: &'a str,
    pub policy_scope: String,
}

impl RoundRecord {
    /// A round that has just begun; its id comes with its storing.
    pub(crate) fn begin(side: Side, state: RoundState, about: &About<'_>, now_s: u64) -> Self {
        Self {
            id: String::new(),
            side,
            revision: 0,
            state,
            detail: String::new(),
            peer: about.peer.to_owned(),
            agreement: about.agreement.id.clone(),
            agreement_version: about.agreement.version,
            agreement_hash: about.agreement.hash.clone(),
            purpose: about.purpose.to_owned(),
            case_reference: None,
            dataset: about.dataset.name.clone(),
            generation: about.dataset.generation,
            peer_dataset: about.peer_dataset.to_owned(),
            subjects: about.dataset.subjects,
            policy_scope: about.policy_scope.clone(),
            proposed_by: None,
            proposed_by_uid: None,
            started_at: now_s,
            attempts: 0,
            terms: None,
            machine: None,
            first_sent: None,
            t0: None,
            chunks_done: 0,
            terms_logged: false,
            evaluation_logged: false,
            evaluation_root: None,
            sealed_seed: None,
            withdraw: None,
            over_max_overlap: false,
            places: Vec::new(),
            wire_sent: 0,
            wire_received: 0,
        }
    }

    /// The text of the agreement that the round runs under.
    pub(crate) fn agreement_ref(&self) -> AgreementRef {
        AgreementRef {
            id: self.agreement.clone(),
            version: self.agreement_version,
            hash: self.agreement_hash.clone(),
        }
    }

    pub(crate) fn terms(&self) -> Option<Terms> {
        unhex(self.terms.as_deref()?)
    }

    pub(crate) fn places_taken(&self, slot: u8) -> u32 {
        self.places.get(usize::from(slot)).copied().unwrap_or(0)
    }

    pub(crate) fn take_place(&mut self, slot: u8) {
        let slot = usize::from(slot);
        if self.places.len() <= slot {
            self.places.resize(slot + 1, 0);
        }
        self.places[slot] += 1;
    }

    /// The state machine's record.
    pub(crate) fn machine<M: bincode::Encode + bincode::Decode<()>>(&self) -> Option<M> {
        unhex(self.machine.as_deref()?)
    }

    pub(crate) fn set_machine<M: bincode::Encode>(&mut self, machine: &M) {
        self.machine = Some(hex::encode(encode(machine)));
    }
}

fn unhex<T: bincode::Encode + bincode::Decode<()>>(text: &str) -> Option<T> {
    decode(&hex::decode(text).ok()?).ok()
}

/// A chunk at the responder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChunkRecord {
    pub key_type: u8,
    pub chunk: u32,
    pub rows: u32,
    /// Digest of the elements that left.
    pub inputs: String,
    /// Digest of the elements that came back, once verified.
    pub outputs: Option<String>,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AnswerRecord {
    /// Hexadecimal.
    pub bytes: String,
    pub digest: Digest32,
    /// Salted commitment to the own ledger that the answer, or the receipt, carries; and its salt.
    pub ledger_commitment: Digest32,
    pub ledger_salt: String,
    /// Entries that the ledger had then.
    #[serde(default)]
    pub ledger_size: Option<u64>,
    /// Responder: when it was served for the first time.
    #[serde(default)]
    pub served_at: Option<u64>,
    /// The receipt given or received, encoded, hexadecimal.
    pub receipt: Option<String>,
    /// Requester: the receipt was acknowledged.
    pub delivered: bool,
    /// Requester: the items were opened.
    pub opened: bool,
    pub at: u64,
}

/// A digest in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest32(pub Digest);

impl Serialize for Digest32 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest32 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}
