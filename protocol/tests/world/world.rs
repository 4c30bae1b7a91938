//! A test world: both machines of a round, a virtual clock, files in memory, and a wire that a test may tamper with.
//!
//! ```text
//!   Plan ─► World ─ open ─► evaluate ─► ask ─► review ─► answer ─► Report
//!             │        every message passes World::deliver, which
//!             └─ journals: all that each side received and stored, with the time
//! ```
//! `run` plays a whole round; a test that wants to stand between two steps calls them one by one.

mod answers;
mod evaluation;
mod forge;
mod opening;
mod pair_log;
mod plan;
mod question;
mod review;

use std::collections::BTreeMap;
use std::fmt;

use mandorla_kernels::Kernel;
use mandorla_protocol::requester::AwaitingAnswers;
use mandorla_protocol::responder::Questioned;
use mandorla_protocol::{
    Answer, Fact, FactName, HitKey, HitKeys, MatchOutcome, Message, OpenedItem, PairLog, PeerFault,
    PrfValue, ProtocolError, Quarantine, ReleasedItem, Role,
};

use sha2::{Digest as _, Sha256};

pub(crate) use forge::{Forged, forged_cells, sign_answer, sign_place, terms_of};
pub(crate) use plan::{
    Coins, Decision, Found, Parties, Plan, Subject, Verdict, match_key, reference, rows, subject,
    text_of, types_of,
};

/// How an entry came into a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Received,
    Stored,
}

/// One thing that a side saw or kept, and when.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) at: u64,
    pub(crate) how: How,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            how,
            name,
            bytes,
        } = self;
        let (length, digest) = (bytes.len(), hex::encode(Sha256::digest(bytes)));
        write!(f, "{how:?} {name:?} at {at}: {length} bytes, {digest}")
    }
}

/// What a node keeps besides the machine.
pub(crate) struct Side {
    pub(crate) journal: Vec<Entry>,
    pub(crate) pair_log: PairLog,
    pub(crate) facts: BTreeMap<FactName, Fact>,
}

impl Side {
    /// The journal from the entry with this name on.
    pub(crate) fn journal_from(&self, name: &str) -> &[Entry] {
        let start = self.journal.iter().position(|entry| entry.name == name);
        &self.journal[start.unwrap()..]
    }

    pub(crate) fn entry(&self, name: &str) -> &[u8] {
        let entry = self.journal.iter().find(|entry| entry.name == name);
        &entry.unwrap().bytes
    }
}

/// The requester's file of hit keys, by subject number and key type.
#[derive(Clone, Default)]
pub(crate) struct HitKeyFile(pub(crate) BTreeMap<(u32, u8), Vec<HitKey>>);

impl HitKeys for HitKeyFile {
    fn hit_keys(&self, subject_number: u32, key_type: u8) -> Vec<HitKey> {
        let found = self.0.get(&(subject_number, key_type));
        found.cloned().unwrap_or_default()
    }
}

/// A round ended early: who ended it, at which message, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) side: Role,
    pub(crate) step: String,
    pub(crate) why: ProtocolError,
}

impl Stop {
    pub(crate) fn at<E: Into<ProtocolError>>(side: Role, step: &str) -> impl FnOnce(E) -> Self {
        move |error| Self {
            side,
            step: step.to_owned(),
            why: error.into(),
        }
    }

    pub(crate) fn fault(&self) -> PeerFault {
        match &self.why {
            ProtocolError::Peer(fault) => *fault,
            other => panic!("{:?} blames nobody: {other}", self.step),
        }
    }
}

/// What was released, as it stands before and after the wire.
pub(crate) type Opened = Result<OpenedItem, (u16, Quarantine)>;

/// A round that came to its end.
pub(crate) struct Report {
    pub(crate) outcome: MatchOutcome,
    pub(crate) items: Vec<ReleasedItem>,
    pub(crate) opened: Vec<Opened>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) awaiting: AwaitingAnswers,
    pub(crate) questioned: Questioned,
}

type Tamper = Box<dyn FnMut(&str, &mut Vec<u8>)>;

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) kernel: Kernel,
    pub(crate) now: u64,
    pub(crate) requester: Side,
    pub(crate) responder: Side,
    /// Every message in the order it was sent, as it was sent.
    pub(crate) transcript: Vec<(String, Vec<u8>)>,
    /// The requester's files.
    pub(crate) numbers: Vec<u32>,
    pub(crate) question_cells: Vec<u8>,
    pub(crate) hit_keys: HitKeyFile,
    /// The responder's files: values per key type and row, and the question as it came.
    pub(crate) values: Vec<Vec<PrfValue>>,
    pub(crate) received_cells: Vec<u8>,
    tamper: Tamper,
    pair_exchanges: usize,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let requester = plan.parties.requester_signer().public();
        let responder = plan.parties.responder_signer().public();
        let side = || Side {
            journal: Vec::new(),
            pair_log: PairLog::new(requester, responder),
            facts: BTreeMap::new(),
        };
        Self {
            kernel: Kernel::detect().unwrap(),
            now: plan.requester_time,
            requester: side(),
            responder: side(),
            transcript: Vec::new(),
            numbers: Vec::new(),
            question_cells: Vec::new(),
            hit_keys: HitKeyFile::default(),
            values: vec![Vec::new(); plan.key_types.len()],
            received_cells: Vec::new(),
            tamper: Box::new(|_, _| {}),
            pair_exchanges: 0,
            plan,
        }
    }

    /// A world on whose wire `tamper` may change each message, by its name, before it arrives.
    pub(crate) fn tampered(plan: Plan, tamper: impl FnMut(&str, &mut Vec<u8>) + 'static) -> Self {
        let mut world = Self::new(plan);
        world.tamper = Box::new(tamper);
        world
    }

    /// A whole round.
    pub(crate) fn run(&mut self) -> Result<Report, Stop> {
        let (evaluating, blinding) = self.open()?;
        let (pending, evaluated) = self.evaluate(evaluating, blinding)?;
        let (awaiting, questioned) = self.ask(pending, &evaluated)?;
        let (outcome, items) = self.review(&questioned);
        let (awaiting, answers, opened) = self.answer(awaiting, &questioned, &items)?;
        Ok(Report {
            outcome,
            items,
            opened,
            answers,
            awaiting,
            questioned,
        })
    }

    pub(crate) fn message_bytes(&self, name: &str) -> &[u8] {
        let message = self.transcript.iter().find(|(known, _)| known == name);
        &message.unwrap().1
    }

    /// Carries bytes to the other side.
    pub(crate) fn deliver(&mut self, from: Role, name: &str, mut bytes: Vec<u8>) -> Vec<u8> {
        self.transcript.push((name.to_owned(), bytes.clone()));
        (self.tamper)(name, &mut bytes);
        self.note(other(from), How::Received, name, &bytes);
        bytes
    }

    /// Carries a control message to the other side, which decodes it.
    pub(crate) fn send(
        &mut self,
        from: Role,
        name: &str,
        message: &Message,
    ) -> Result<Message, Stop> {
        let bytes = self.deliver(from, name, message.to_bytes());
        let decoded = Message::from_bytes(&bytes).map_err(PeerFault::from);
        decoded.map_err(Stop::at(other(from), name))
    }

    pub(crate) fn store(&mut self, side: Role, name: &str, bytes: &[u8]) {
        self.note(side, How::Stored, name, bytes);
    }

    pub(crate) fn side(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Requester => &mut self.requester,
            Role::Responder => &mut self.responder,
        }
    }

    fn note(&mut self, side: Role, how: How, name: &str, bytes: &[u8]) {
        let at = self.now;
        let (name, bytes) = (name.to_owned(), bytes.to_vec());
        let entry = Entry {
            at,
            how,
            name,
            bytes,
        };
        self.side(side).journal.push(entry);
    }
}

pub(crate) fn other(role: Role) -> Role {
    match role {
        Role::Requester => Role::Responder,
        Role::Responder => Role::Requester,
    }
}

/// A message that has no place here.
pub(crate) fn unexpected(side: Role, step: &str, got: &Message, expected: &'static str) -> Stop {
    let got = got.name();
    Stop::at(side, step)(PeerFault::Unexpected { got, expected })
}
