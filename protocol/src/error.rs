//! Errors that say who is at fault.
//!
//! They carry ids, counts and enums only, never data, so each is safe to log.

use crate::codec::CodecError;
use crate::evaluation::ChunkHeader;

/// Why a step of a round failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The peer broke the protocol: the round ends and names it as the culprit.
    #[error("the peer misbehaved: {0}")]
    Peer(#[from] PeerFault),
    /// The peer said no, for a reason that both sides can see.
    #[error("the peer refused: {0}")]
    Refused(Refusal),
    /// Something on this side is not as it must be; nothing was sent.
    #[error("{0}")]
    Local(#[from] LocalFault),
}

/// What a peer did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeerFault {
    /// A message does not decode.
    #[error("a message is malformed: {0}")]
    Malformed(#[from] CodecError),
    /// A message that has no place in this state.
    #[error("message {got} where {expected} was due")]
    Unexpected {
        /// The name of the message that came.
        got: &'static str,
        /// What the state waits for.
        expected: &'static str,
    },
    /// A signature does not verify.
    #[error("the signature of {0} does not verify")]
    Signature(&'static str),
    /// A proof of possession of a round key does not verify.
    #[error("no proof of possession for key type {0}")]
    Possession(u8),
    /// The terms are not the ones that the agreement prescribes.
    #[error("the terms differ from the agreement: {0}")]
    Terms(Refusal),
    /// A chunk that the terms do not have.
    #[error("chunk {0:?} is not in the terms")]
    UnknownChunk(ChunkHeader),
    /// A chunk index was sent again with other content.
    #[error("chunk {0:?} was sent again with other content")]
    ChunkChanged(ChunkHeader),
    /// An element is not canonical or is the identity.
    #[error("element {index} of chunk {chunk:?} is not a valid group element")]
    BadElement {
        /// The chunk it stands in.
        chunk: ChunkHeader,
        /// Its index in the chunk.
        index: u32,
    },
    /// The proof of a chunk does not verify.
    #[error("the proof of chunk {0:?} does not verify")]
    ChunkProof(ChunkHeader),
    /// A body is shorter or longer than the terms say.
    #[error("{what} has {got} bytes, not {expected}")]
    Length {
        /// What was being read.
        what: &'static str,
        /// Bytes that the terms call for.
        expected: u64,
        /// Bytes that came.
        got: u64,
    },
    /// The two sides have different evaluation roots.
    #[error("the evaluation roots differ")]
    EvaluationRoot,
    /// The cells are not as announced: count, order or root.
    #[error("the question is not as announced: {0}")]
    Question(QuestionFault),
    /// The requester's authoriser has not approved this question.
    #[error("the question carries no valid approval")]
    Approval,
    /// An answer does not have the shape or the signature that the terms fix.
    #[error("the answer to slot {0} is malformed")]
    Answer(u8),
    /// The peer gave two different answers to one slot.
    #[error("the answer to slot {0} changed")]
    AnswerChanged(u8),
    /// The peer's log is not an extension of what both signed.
    #[error("the pair log does not agree: {0}")]
    PairLog(&'static str),
    /// The peer's clock is more than five minutes away from ours.
    #[error("the clocks are {0} s apart")]
    Clock(u64),
}

/// What is wrong with a question's cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuestionFault {
    /// Not the number of cells that the terms fix.
    #[error("wrong number of cells")]
    Count,
    /// Tags are not strictly ascending.
    #[error("cells are not strictly ascending")]
    Order,
    /// The cells do not hash to the announced root.
    #[error("cells do not match the root")]
    Root,
    /// The case reference does not open the commitment of the terms.
    #[error("the case reference does not open its commitment")]
    Case,
    /// The case reference is empty.
    #[error("the question names no case")]
    NoCase,
}

/// Something on this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LocalFault {
    /// The round's terms name keys of this node that are erased.
    #[error("the keys that the round's terms name are erased")]
    KeysErased,
    /// A set is larger than any class.
    #[error("{0} elements are more than the largest class")]
    SetTooLarge(u64),
    /// The approval was given for something else than what would be sent.
    #[error("the approval is for another question")]
    ApprovalMismatch,
    /// A chunk would leave with other content than before.
    #[error("chunk {0:?} would differ from what was sent before")]
    ChunkWouldDiffer(ChunkHeader),
    /// Work that was handed out has not come back.
    #[error("work on this round is still under way")]
    WorkOutstanding,
    /// Not every chunk is verified.
    #[error("chunks are missing")]
    ChunksMissing,
    /// Two cells of the question have the same tag (probability below 2^-40): start the round anew.
    #[error("two cells collide; start the round anew")]
    CellCollision,
    /// The released fields do not fit into an item.
    #[error("the package has {got} bytes, an item holds {max}")]
    PackageTooLarge {
        /// Bytes of the package.
        got: usize,
        /// Bytes that fit.
        max: usize,
    },
    /// An item proves no match key.
    #[error("a release must prove at least one match key")]
    NothingProven,
    /// A slot that the terms do not have, or more items than places.
    #[error("no place in slot {0}")]
    NoPlace(u8),
    /// The deadline of the question has passed.
    #[error("the question has lapsed")]
    Lapsed,
}

/// A no that goes over the wire: a function of terms, clocks and the request only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[repr(u16)]
pub enum Refusal {
    /// The agreement is not known here.
    #[error("this agreement is not known to the peer")]
    UnknownAgreement = 1,
    /// The agreement is not live.
    #[error("the agreement is not live")]
    NotLive = 2,
    /// Outside the agreement's dates.
    #[error("outside the dates of the agreement")]
    Dates = 3,
    /// Another purpose than the agreement's.
    #[error("the purpose is not the agreement's")]
    Purpose = 4,
    /// Datasets that the agreement does not name, or that are not loaded.
    #[error("a dataset is not in the agreement or not loaded")]
    Datasets = 5,
    /// Other linkage rules.
    #[error("the linkage rules differ")]
    LinkageRules = 6,
    /// Other match-key types.
    #[error("the match-key types differ")]
    KeyTypes = 7,
    /// A set is smaller or larger than allowed.
    #[error("a set size is outside the agreement's limits")]
    SetSize = 8,
    /// A quota is used up.
    #[error("a quota of the agreement is used up")]
    Quota = 9,
    /// Slots or sizes of the answer differ from the agreement.
    #[error("slots or sizes differ from the agreement")]
    Slots = 10,
    /// The clocks are too far apart.
    #[error("the clocks are more than five minutes apart")]
    Clock = 11,
    /// The agreement is suspended.
    #[error("the agreement is suspended")]
    Suspended = 12,
    /// No such round.
    #[error("the round is not known to the peer")]
    UnknownRound = 13,
    /// The time for this has not come.
    #[error("not yet")]
    NotYet = 14,
    /// The time for this has passed.
    #[error("too late")]
    TooLate = 15,
    /// A signature does not verify.
    #[error("a signature does not verify")]
    Signature = 16,
    /// The protocol was broken.
    #[error("the protocol was broken")]
    Violation = 17,
    /// The question is not approved.
    #[error("the question is not approved")]
    Approval = 18,
    /// The node's own policy.
    #[error("the policy of the peer's node")]
    LocalPolicy = 19,
    /// A fault on the refusing side.
    #[error("a fault on the peer's side")]
    Internal = 20,
    /// Too much at once.
    #[error("the peer is busy")]
    Busy = 21,
    /// A succession of keys that does not follow those known.
    #[error("the succession of keys does not follow those that the peer knows")]
    Succession = 22,
}

impl Refusal {
    const ALL: [Self; 22] = [
        Self::UnknownAgreement,
        Self::NotLive,
        Self::Dates,
        Self::Purpose,
        Self::Datasets,
        Self::LinkageRules,
        Self::KeyTypes,
        Self::SetSize,
        Self::Quota,
        Self::Slots,
        Self::Clock,
        Self::Suspended,
        Self::UnknownRound,
        Self::NotYet,
        Self::TooLate,
        Self::Signature,
        Self::Violation,
        Self::Approval,
        Self::LocalPolicy,
        Self::Internal,
        Self::Busy,
        Self::Succession,
    ];

    /// The number on the wire.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// Reads a number from the wire; an unknown one is a fault on the peer's side.
    pub fn from_code(code: u16) -> Self {
        Self::ALL
            .into_iter()
            .find(|refusal| refusal.code() == code)
            .unwrap_or(Self::Internal)
    }
}

impl PeerFault {
    /// What the culprit is told.
    pub fn refusal(self) -> Refusal {
        match self {
            Self::Signature(_) | Self::Possession(_) => Refusal::Signature,
            Self::Terms(refusal) => refusal,
            Self::Approval => Refusal::Approval,
            Self::Clock(_) => Refusal::Clock,
            _ => Refusal::Violation,
        }
    }
}
