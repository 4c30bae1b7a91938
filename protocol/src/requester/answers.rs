//! Answers: fetched at their slots, receipted unopened, then opened.

use bincode::{Decode, Encode};

use crate::answer;
use crate::error::PeerFault;
use crate::ids::Digest;
use crate::item::{HitKeys, OpenedItem, Quarantine};
use crate::labels;
use crate::message::{Message, Receipt};
use crate::signature::{NodeSigner, SignatureBytes};
use crate::terms::Terms;

/// The question is acknowledged; answers come at fixed times.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AwaitingAnswers {
    terms: Terms,
    question_root: Digest,
    t0: u64,
    acknowledgement: SignatureBytes,
    answers: Vec<Option<Digest>>,
}

impl AwaitingAnswers {
    pub(super) fn new(
        terms: Terms,
        question_root: Digest,
        t0: u64,
        acknowledgement: SignatureBytes,
    ) -> Self {
        let answers = vec![None; usize::from(terms.slots())];
        Self {
            terms,
            question_root,
            t0,
            acknowledgement,
            answers,
        }
    }

    /// The terms of the round.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Root of the question that was sent.
    pub fn question_root(&self) -> Digest {
        self.question_root
    }

    /// The responder's clock at the acknowledgement, Unix seconds.
    pub fn t0(&self) -> u64 {
        self.t0
    }

    /// When the round closes: a function of the terms and `t0`.
    pub fn closes_at(&self) -> u64 {
        self.terms.closes_at(self.t0)
    }

    /// The first slot without an answer, whose window has not passed at `now`.
    pub fn next_slot(&self, now: u64) -> Option<u8> {
        (0..self.terms.slots()).find(|&slot| {
            let ends =
                self.terms.slot_time(self.t0, slot) + u64::from(self.terms.offer().fetch_window_s);
            self.answers[usize::from(slot)].is_none() && now <= ends
        })
    }

    /// When to connect for a slot.
    pub fn slot_time(&self, slot: u8) -> u64 {
        self.terms.slot_time(self.t0, slot)
    }

    /// Takes the answer of a slot: shape, signature, and that it is the only one. Nothing is opened.
    pub fn handle_answer(&mut self, slot: u8, bytes: Vec<u8>) -> Result<SealedAnswer, PeerFault> {
        let digest = answer::check(&self.terms, slot, &bytes)?;
        let known = self
            .answers
            .get_mut(usize::from(slot))
            .ok_or(PeerFault::Answer(slot))?;
        if known.is_some_and(|known| known != digest) {
            return Err(PeerFault::AnswerChanged(slot));
        }
        *known = Some(digest);
        Ok(SealedAnswer {
            slot,
            bytes,
            digest,
        })
    }
}

/// An answer as it came, to be stored and receipted before it is opened.
///
/// Only what is receipted can be opened:
/// ```
/// # use mandorla_protocol::{HitKeys, Terms, requester::ReceiptedAnswer};
/// fn open(answer: &ReceiptedAnswer, terms: &Terms, release_key: &[u8; 32], keys: &impl HitKeys) {
///     answer.open(terms, release_key, keys);
/// }
/// ```
/// ```compile_fail,E0599
/// # use mandorla_protocol::{HitKeys, Terms, requester::SealedAnswer};
/// fn open(answer: &SealedAnswer, terms: &Terms, release_key: &[u8; 32], keys: &impl HitKeys) {
///     answer.open(terms, release_key, keys);
/// }
/// ```
pub struct SealedAnswer {
    slot: u8,
    bytes: Vec<u8>,
    digest: Digest,
}

impl SealedAnswer {
    /// The bytes, to be made durable.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the receipt covers.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Signs the receipt. Only then can the answer be opened.
    pub fn receipt(
        self,
        terms: &Terms,
        ledger_commitment: Digest,
        signer: &NodeSigner,
    ) -> (Receipt, ReceiptedAnswer) {
        let parts: [&[u8]; 4] = [
            &terms.round_id().0,
            &[self.slot],
            &self.digest.0,
            &ledger_commitment.0,
        ];
        let receipt = Receipt {
            slot: self.slot,
            answer_digest: self.digest,
            ledger_commitment,
            signature: signer.sign(labels::RECEIPT, &parts),
        };
        (
            receipt,
            ReceiptedAnswer {
                slot: self.slot,
                bytes: self.bytes,
            },
        )
    }
}

impl From<Receipt> for Message {
    fn from(receipt: Receipt) -> Self {
        Self::Receipt(receipt)
    }
}

/// An answer whose receipt is signed.
pub struct ReceiptedAnswer {
    slot: u8,
    bytes: Vec<u8>,
}

impl ReceiptedAnswer {
    /// Opens every item. `release_key`: the responder's, from the agreement. An item that does not verify is set
    /// aside with the index of its place and the reason; the others stand.
    pub fn open(
        &self,
        terms: &Terms,
        release_key: &[u8; 32],
        keys: &impl HitKeys,
    ) -> Vec<Result<OpenedItem, (u16, Quarantine)>> {
        answer::open(terms, self.slot, &self.bytes, release_key, keys)
    }
}
