//! The messages of the control stream, by their index on the wire.

use bincode::{Decode, Encode};

use crate::codec::{CodecError, decode, encode};
use crate::ids::{Digest, RoundId};
use crate::pair_log::{FactName, FactState};
use crate::signature::SignatureBytes;
use crate::succession::SignedSuccession;
use crate::terms::{Offer, ResponderOffer};

/// A message of the control stream. The order of the variants is the wire format.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[expect(
    missing_docs,
    reason = "the fields are those of section 10 of the specification, by the same names"
)]
pub enum Message {
    /// Are you there?
    Ping { nonce: u64 },
    /// The first authenticated reply.
    Pong { nonce: u64, time: u64 },
    /// The requester's half of the terms.
    Offer(Offer),
    /// The responder's half, its signature of the terms and its binding.
    Accept {
        offer: ResponderOffer,
        signature: SignatureBytes,
        binding: SignatureBytes,
    },
    /// The requester's signature, binding, and a proof of possession per key type.
    Confirm {
        signature: SignatureBytes,
        binding: SignatureBytes,
        possession: Vec<SignatureBytes>,
    },
    /// Goes on with a known round on a new connection.
    Resume {
        round_id: RoundId,
        binding: SignatureBytes,
    },
    /// The responder knows the round and is bound to the connection too.
    Resumed { binding: SignatureBytes },
    /// Every chunk is verified; the root of the evaluation.
    Evaluated {
        root: Digest,
        signature: SignatureBytes,
    },
    /// The requester has the same root; its keys are erased.
    EvaluatedAck { signature: SignatureBytes },
    /// The approved question; its cells follow on a unidirectional stream.
    Seek {
        question_root: Digest,
        count: u64,
        case_reference: String,
        case_salt: [u8; 32],
        approval: SignatureBytes,
        signature: SignatureBytes,
    },
    /// The question is durable; `time` is `t0`.
    SeekAck {
        time: u64,
        signature: SignatureBytes,
    },
    /// Asks for the answer of a slot.
    Fetch { slot: u8 },
    /// The answer's length; the answer follows raw.
    Answer { bytes: u64 },
    /// The requester has stored the answer, unopened.
    Receipt(Receipt),
    /// The receipt is stored.
    ReceiptAck { slot: u8 },
    /// Facts to append to the pair log and the checkpoint after them.
    PairOffer {
        facts: Vec<FactName>,
        checkpoint: String,
    },
    /// The countersignature.
    PairAccept { signature_line: String },
    /// The round ends without a question.
    Withdraw {
        reason: u8,
        signature: SignatureBytes,
    },
    /// Noted.
    WithdrawAck,
    /// No, by number.
    Refuse { code: u16 },
    /// Nothing more on this connection.
    Done,
    /// The sender's keys are followed by new ones.
    Succeed(Box<SignedSuccession>),
    /// The succession is durable here.
    Succeeded { countersignature: SignatureBytes },
    /// How far is your copy of this pair log?
    PairState { log: u8 },
    /// The copy: its size, the size that an offer in flight leads to, the last note with both signatures.
    PairStateIs {
        size: u64,
        offered: u64,
        checkpoint: String,
    },
    /// Asks for leaf hashes of the log.
    PairHashes { log: u8, first: u64, count: u16 },
    /// As many as were asked for.
    PairHashesAre { hashes: Vec<Digest> },
    /// Asks for leaves of the log.
    PairLeaves { log: u8, first: u64, count: u16 },
    /// As many as were asked for.
    PairLeavesAre { leaves: Vec<Vec<u8>> },
    /// Facts that the sender knows and that are not in the log.
    PairPending { log: u8, facts: Vec<PendingFact> },
    /// What the receiver knows of each, in the same order.
    PairKnown { states: Vec<FactState> },
}

/// A fact that waits for its place in the pair log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PendingFact {
    /// Which.
    pub name: FactName,
    /// The hash of its leaf.
    pub leaf: Digest,
}

/// The requester's receipt for an answer, of fixed size.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// The slot answered.
    pub slot: u8,
    /// The digest of the answer as received.
    pub answer_digest: Digest,
    /// Salted commitment to the requester's ledger.
    pub ledger_commitment: Digest,
    /// Over both, by the requester's signing key.
    pub signature: SignatureBytes,
}

impl Message {
    /// The bytes of a control frame.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a control frame.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        decode(bytes)
    }

    /// The name of the message, for logs and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ping { .. } => "Ping",
            Self::Pong { .. } => "Pong",
            Self::Offer(_) => "Offer",
            Self::Accept { .. } => "Accept",
            Self::Confirm { .. } => "Confirm",
            Self::Resume { .. } => "Resume",
            Self::Resumed { .. } => "Resumed",
            Self::Evaluated { .. } => "Evaluated",
            Self::EvaluatedAck { .. } => "EvaluatedAck",
            Self::Seek { .. } => "Seek",
            Self::SeekAck { .. } => "SeekAck",
            Self::Fetch { .. } => "Fetch",
            Self::Answer { .. } => "Answer",
            Self::Receipt(_) => "Receipt",
            Self::ReceiptAck { .. } => "ReceiptAck",
            Self::PairOffer { .. } => "PairOffer",
            Self::PairAccept { .. } => "PairAccept",
            Self::Withdraw { .. } => "Withdraw",
            Self::WithdrawAck => "WithdrawAck",
            Self::Refuse { .. } => "Refuse",
            Self::Done => "Done",
            Self::Succeed(_) => "Succeed",
            Self::Succeeded { .. } => "Succeeded",
            Self::PairState { .. } => "PairState",
            Self::PairStateIs { .. } => "PairStateIs",
            Self::PairHashes { .. } => "PairHashes",
            Self::PairHashesAre { .. } => "PairHashesAre",
            Self::PairLeaves { .. } => "PairLeaves",
            Self::PairLeavesAre { .. } => "PairLeavesAre",
            Self::PairPending { .. } => "PairPending",
            Self::PairKnown { .. } => "PairKnown",
        }
    }
}
