//! The pair log: what both nodes know of their rounds, countersigned by both.
//!
//! One log per requester–responder direction. The requester proposes which facts to append and signs the
//! checkpoint after them; the responder appends the same facts from its own knowledge and countersigns.
//! It holds nothing that depends on unreleased hits.

use bincode::{Decode, Encode};
use ed25519_dalek::VerifyingKey;

use crate::checkpoint::{Checkpoint, SignedNote};
use crate::codec::encode;
use crate::error::PeerFault;
use crate::hash::{framed, h256};
use crate::ids::{Digest, NodeKey, RoundId};
use crate::labels;
use crate::merkle::{Frontier, leaf_hash};
use crate::message::Receipt;
use crate::signature::NodeSigner;
use crate::terms::Terms;

/// Most facts in one offer: a frame holds them all.
pub const FACTS_MAX: usize = 256;

/// Most leaf hashes in one reply: 32 KiB of a control frame's 64.
pub const PAIR_HASHES_MAX: u16 = 1024;

/// Most leaves in one reply: a leaf has at most 190 bytes.
pub const PAIR_LEAVES_MAX: u16 = 256;

/// Which of the two pair logs of two nodes is meant, seen from the node that opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PairSide {
    /// The node that opened the connection is the requester.
    OpenerAsks = 0,
    /// It is the responder.
    OpenerIsAsked = 1,
}

impl PairSide {
    /// Reads the byte of a message.
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::OpenerAsks, Self::OpenerIsAsked]
            .into_iter()
            .find(|side| *side as u8 == byte)
    }
}

/// What a node knows of a fact that the other has pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[repr(u8)]
pub enum FactState {
    /// It does not know the fact and will not: the round is over here, or never began.
    Unknown,
    /// It has the fact pending too, with the same bytes.
    Same,
    /// It has a fact of this name with other bytes.
    Other,
    /// The round is open here: the fact may still come.
    NotYet,
    /// The fact is in its copy of the log.
    InLog,
}

/// Which fact of which round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct FactName {
    /// Kind, 1 to 7.
    pub kind: u8,
    /// The slot of an answer or receipt, otherwise 0.
    pub index: u8,
    /// The round.
    pub round_id: RoundId,
}

/// Why a round ended without a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[repr(u8)]
pub enum EndReason {
    /// The requester's authoriser declined.
    Declined = 1,
    /// Nobody decided in time.
    Lapsed = 2,
    /// The analyst cancelled.
    Cancelled = 3,
}

impl EndReason {
    /// Reads the byte of a WITHDRAW.
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Declined, Self::Lapsed, Self::Cancelled]
            .into_iter()
            .find(|reason| *reason as u8 == byte)
    }
}

/// Something both sides of a round know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Terms signed; evaluations charged to the responder's quota.
    Terms {
        /// Over all key types, padding included.
        evaluations: u64,
    },
    /// Every chunk evaluated and verified.
    Evaluation(Digest),
    /// The question sent and acknowledged.
    Question {
        /// Its root.
        root: Digest,
        /// The responder's clock at the acknowledgement.
        t0: u64,
    },
    /// An answer served.
    Answer {
        /// Which.
        slot: u8,
        /// Its digest.
        digest: Digest,
    },
    /// A receipt given.
    Receipt(Receipt),
    /// The round is over.
    Close {
        /// When, by the terms.
        at: u64,
    },
    /// The round ended without a question.
    Ended(EndReason),
}

impl Fact {
    /// The name of this fact in a round.
    pub fn name(&self, round_id: RoundId) -> FactName {
        let (kind, index) = match self {
            Self::Terms { .. } => (1, 0),
            Self::Evaluation(_) => (2, 0),
            Self::Question { .. } => (3, 0),
            Self::Answer { slot, .. } => (4, *slot),
            Self::Receipt(receipt) => (5, receipt.slot),
            Self::Close { .. } => (6, 0),
            Self::Ended(_) => (7, 0),
        };
        FactName {
            kind,
            index,
            round_id,
        }
    }

    /// The leaf of the log. Its salt comes from both nonces of the terms.
    pub fn leaf(&self, terms: &Terms) -> Vec<u8> {
        let name = self.name(terms.round_id());
        let (kind, index) = ([name.kind], [name.index]);
        let salt = h256(
            labels::FACT_SALT,
            &[
                &terms.offer().nonce,
                &terms.responder().nonce,
                &kind,
                &index,
            ],
        );
        let body = match self {
            Self::Terms { evaluations } => evaluations.to_le_bytes().to_vec(),
            Self::Evaluation(root) => root.0.to_vec(),
            Self::Question { root, t0 } => [&root.0[..], &t0.to_le_bytes()].concat(),
            Self::Answer { digest, .. } => digest.0.to_vec(),
            Self::Receipt(receipt) => receipt_digest(receipt).0.to_vec(),
            Self::Close { at } => at.to_le_bytes().to_vec(),
            Self::Ended(reason) => vec![*reason as u8],
        };
        framed(labels::FACT, &[&salt, &kind, &terms.round_id().0, &body])
    }
}

/// A leaf taken apart: what two nodes can compare without the terms of the round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactLeaf {
    /// Kind, 1 to 7.
    pub kind: u8,
    /// The round.
    pub round_id: RoundId,
    /// What is said: see the table of the specification.
    pub body: Vec<u8>,
}

impl FactLeaf {
    /// Takes a leaf apart; `None` if it is none.
    pub fn parse(leaf: &[u8]) -> Option<Self> {
        let (length, rest) = leaf.split_first()?;
        let (label, mut rest) = rest.split_at_checked(usize::from(*length))?;
        if label != labels::FACT.as_bytes() {
            return None;
        }
        let mut part = || {
            let (length, after) = rest.split_first_chunk()?;
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            let (part, after) = after.split_at_checked(length)?;
            rest = after;
            Some(part)
        };
        let (salt, kind, round, body) = (part()?, part()?, part()?, part()?);
        let [kind] = *kind else {
            return None;
        };
        let whole = rest.is_empty() && salt.len() == 32 && (1..=7).contains(&kind);
        whole.then_some(())?;
        Some(Self {
            kind,
            round_id: RoundId(round.try_into().ok()?),
            body: body.to_vec(),
        })
    }

    /// The kind in a word.
    pub fn kind_word(&self) -> &'static str {
        kind_word(self.kind)
    }
}

/// The kind of a fact in a word.
pub fn kind_word(kind: u8) -> &'static str {
    match kind {
        1 => "terms",
        2 => "evaluation",
        3 => "question",
        4 => "answer",
        5 => "receipt",
        6 => "close",
        7 => "ended",
        _ => "unknown",
    }
}

/// What the leaf of a receipt's fact says.
pub fn receipt_digest(receipt: &Receipt) -> Digest {
    Digest(h256(labels::RECEIPT_DIGEST, &[&encode(receipt)]))
}

/// The log of one direction: its Merkle tree so far.
#[derive(Clone, Debug)]
pub struct PairLog {
    requester: NodeKey,
    responder: NodeKey,
    tree: Frontier,
}

impl PairLog {
    /// An empty log.
    pub fn new(requester: NodeKey, responder: NodeKey) -> Self {
        Self {
            requester,
            responder,
            tree: Frontier::new(),
        }
    }

    /// A log whose leaves are stored elsewhere.
    pub fn with_tree(requester: NodeKey, responder: NodeKey, tree: Frontier) -> Self {
        Self {
            requester,
            responder,
            tree,
        }
    }

    /// The tree, to be stored.
    pub fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// Appends a leaf.
    pub fn append(&mut self, leaf: &[u8]) {
        self.tree.append(leaf_hash(leaf));
    }

    /// The note of the present state with the requester's signature.
    pub fn offer_note(&self, signer: &NodeSigner) -> String {
        self.checkpoint()
            .signed(signer.signing_key(), &self.requester.to_string())
            .expect("a hexadecimal name is valid")
            .to_string()
    }

    /// Checks the requester's note for the present state and gives the responder's signature line for it.
    pub fn countersign(&self, note: &str, signer: &NodeSigner) -> Result<String, PeerFault> {
        let key = verifying_key(&self.requester)?;
        let offered = Checkpoint::verify(note, &self.requester.to_string(), &key)
            .map_err(|_| PeerFault::PairLog("the checkpoint's signature does not verify"))?;
        if offered != self.checkpoint() {
            return Err(PeerFault::PairLog("size or root differ"));
        }
        let line = offered
            .sign(signer.signing_key(), &self.responder.to_string())
            .expect("a hexadecimal name is valid");
        Ok(line.trim_end_matches('\n').to_owned())
    }

    /// Adds the responder's line to the requester's note, verified; the result is what both keep.
    pub fn complete_note(&self, note: &str, line: &str) -> Result<String, PeerFault> {
        const BAD: PeerFault = PeerFault::PairLog("the countersignature does not verify");
        let mut note = SignedNote::parse(note).map_err(|_| BAD)?;
        note.add_line(&format!("{line}\n")).map_err(|_| BAD)?;
        note.verify(
            &self.responder.to_string(),
            &verifying_key(&self.responder)?,
        )
        .map_err(|_| BAD)?;
        Ok(note.to_string())
    }

    /// Reads a note that must bear the signatures of both nodes; gives the size and root that they signed.
    pub fn verify_note(&self, note: &str) -> Result<Checkpoint, PeerFault> {
        const BAD: PeerFault = PeerFault::PairLog("the checkpoint does not bear both signatures");
        let signed = SignedNote::parse(note).map_err(|_| BAD)?;
        for key in [&self.requester, &self.responder] {
            let verifying = verifying_key(key)?;
            signed
                .verify(&key.to_string(), &verifying)
                .map_err(|_| BAD)?;
        }
        let checkpoint = Checkpoint::parse(signed.text()).map_err(|_| BAD)?;
        if checkpoint.origin() != self.checkpoint().origin() {
            return Err(PeerFault::PairLog("the checkpoint is of another log"));
        }
        Ok(checkpoint)
    }

    fn checkpoint(&self) -> Checkpoint {
        let origin = format!("mandorla/pair/{}/{}", self.requester, self.responder);
        Checkpoint::new(origin, self.tree.size(), self.tree.root())
            .expect("a hexadecimal origin is valid")
    }
}

fn verifying_key(key: &NodeKey) -> Result<VerifyingKey, PeerFault> {
    VerifyingKey::from_bytes(&key.0).map_err(|_| PeerFault::PairLog("a key is not valid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_taken_apart_and_nothing_else_is_a_leaf() {
        let round_id = RoundId([7; 32]);
        let leaf = framed(labels::FACT, &[&[9; 32], &[4], &round_id.0, b"body"]);
        let parsed = FactLeaf::parse(&leaf).unwrap();
        assert_eq!((parsed.kind, parsed.round_id), (4, round_id));
        assert_eq!(
            (parsed.kind_word(), &parsed.body[..]),
            ("answer", &b"body"[..])
        );
        for end in 0..leaf.len() {
            assert_eq!(FactLeaf::parse(&leaf[..end]), None, "{end}");
        }
        assert_eq!(FactLeaf::parse(&[&leaf[..], &[0]].concat()), None);
        for other in [
            framed(labels::FACT, &[&[9; 31], &[4], &round_id.0, b""]),
            framed(labels::FACT, &[&[9; 32], &[8], &round_id.0, b""]),
            framed(labels::FACT, &[&[9; 32], &[4], &[0; 31], b""]),
            framed(labels::FACT_SALT, &[&[9; 32], &[4], &round_id.0, b""]),
        ] {
            assert_eq!(FactLeaf::parse(&other), None);
        }
    }
}
