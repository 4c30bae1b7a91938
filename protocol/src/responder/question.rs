//! The question arrives, is made durable and acknowledged; then answers at their slots.

use bincode::{Decode, Encode};

use crate::answer::Answer;
use crate::approval::QuestionSummary;
use crate::error::{LocalFault, PeerFault, QuestionFault, Refusal};
use crate::ids::Digest;
use crate::item::{ReleasedItem, item_id};
use crate::labels;
use crate::message::{Message, Receipt};
use crate::question::{CheckedQuestion, QuestionCheck};
use crate::signature::{NodeSigner, ReleaseSigner, SignatureBytes, verify};
use crate::terms::{Terms, case_commitment};
use crate::{ids::ItemId, item::Release};

/// A question was announced with a valid approval; its cells come next.
pub struct Receiving {
    terms: Terms,
    item_seed: [u8; 32],
    question_root: Digest,
    case_reference: String,
}

impl Receiving {
    pub(super) fn announce(
        terms: &Terms,
        item_seed: [u8; 32],
        seek: &Message,
        release_key: &[u8; 32],
    ) -> Result<Self, PeerFault> {
        let Message::Seek {
            question_root,
            count,
            case_reference,
            case_salt,
            approval,
            signature,
        } = seek
        else {
            return Err(PeerFault::Unexpected {
                got: seek.name(),
                expected: "Seek",
            });
        };
        let parts: [&[u8]; 3] = [&terms.round_id().0, &question_root.0, approval];
        verify(
            "the question",
            &terms.offer().requester.0,
            labels::SEEK,
            &parts,
            signature,
        )?;
        QuestionSummary::new(terms, *question_root).verify(release_key, approval)?;
        if *count != terms.cells() {
            return Err(PeerFault::Question(QuestionFault::Count));
        }
        if case_commitment(case_salt, case_reference) != terms.offer().case_commitment {
            return Err(PeerFault::Question(QuestionFault::Case));
        }
        // The commitment hides it until now: a peer that sends none is found out here, before a cell is looked at.
        if case_reference.trim().is_empty() {
            return Err(PeerFault::Question(QuestionFault::NoCase));
        }
        Ok(Self {
            terms: terms.clone(),
            item_seed,
            question_root: *question_root,
            case_reference: case_reference.clone(),
        })
    }

    /// Checks cells as they come.
    pub fn check(&self) -> QuestionCheck {
        QuestionCheck::new(&self.terms)
    }

    /// All cells are durable and checked: acknowledges at `now`, which becomes `t0`.
    pub fn finish(
        self,
        question: CheckedQuestion,
        now: u64,
        signer: &NodeSigner,
    ) -> Result<Questioned, PeerFault> {
        if question.root() != self.question_root {
            return Err(PeerFault::Question(QuestionFault::Root));
        }
        let parts: [&[u8]; 3] = [
            &self.terms.round_id().0,
            &self.question_root.0,
            &now.to_le_bytes(),
        ];
        let acknowledgement = signer.sign(labels::SEEK_ACK, &parts);
        Ok(Questioned {
            terms: self.terms,
            item_seed: self.item_seed,
            question_root: self.question_root,
            case_reference: self.case_reference,
            t0: now,
            acknowledgement,
        })
    }
}

/// What time it is for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// Decisions still take places.
    Open,
    /// Frozen, not served yet.
    Frozen,
    /// Served.
    Served,
    /// Its window has passed.
    Past,
}

/// The question is durable and acknowledged. Every later time is a function of the terms and `t0`.
#[derive(Clone, Encode, Decode)]
pub struct Questioned {
    terms: Terms,
    item_seed: [u8; 32],
    question_root: Digest,
    case_reference: String,
    t0: u64,
    acknowledgement: SignatureBytes,
}

impl Questioned {
    /// The terms of the round.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The case reference, opened by the question.
    pub fn case_reference(&self) -> &str {
        &self.case_reference
    }

    /// Root of the question.
    pub fn question_root(&self) -> Digest {
        self.question_root
    }

    /// When the question was acknowledged, own clock, Unix seconds.
    pub fn t0(&self) -> u64 {
        self.t0
    }

    /// The acknowledgement: the same whenever the same question is sent again.
    pub fn acknowledge(&self, seek: &Message) -> Result<Message, PeerFault> {
        let Message::Seek { question_root, .. } = seek else {
            return Err(PeerFault::Unexpected {
                got: seek.name(),
                expected: "Seek",
            });
        };
        if *question_root != self.question_root {
            return Err(PeerFault::Question(QuestionFault::Root));
        }
        Ok(Message::SeekAck {
            time: self.t0,
            signature: self.acknowledgement,
        })
    }

    /// Until when no connection of the requester is taken, Unix milliseconds.
    pub fn quiet_until_ms(&self) -> u64 {
        self.t0 * 1_000 + self.terms.quiet_ms()
    }

    /// When the round closes.
    pub fn closes_at(&self) -> u64 {
        self.terms.closes_at(self.t0)
    }

    /// When the answer of a slot is frozen.
    pub fn cutoff(&self, slot: u8) -> u64 {
        self.terms.slot_time(self.t0, slot) - self.terms.cutoff_s(slot)
    }

    /// What `now` means for a slot of the terms.
    pub fn slot_state(&self, slot: u8, now: u64) -> SlotState {
        let due = self.terms.slot_time(self.t0, slot);
        if now < self.cutoff(slot) {
            SlotState::Open
        } else if now < due {
            SlotState::Frozen
        } else if now <= due + u64::from(self.terms.offer().fetch_window_s) {
            SlotState::Served
        } else {
            SlotState::Past
        }
    }

    /// The slot that a decision made now takes a place in.
    pub fn open_slot(&self, now: u64) -> Option<u8> {
        (0..self.terms.slots()).find(|&slot| self.slot_state(slot, now) == SlotState::Open)
    }

    /// Whether a slot's answer can be fetched: a function of terms and clock.
    pub fn check_fetch(&self, slot: u8, now: u64) -> Result<(), Refusal> {
        if slot >= self.terms.slots() {
            return Err(Refusal::Slots);
        }
        match self.slot_state(slot, now) {
            SlotState::Open | SlotState::Frozen => Err(Refusal::NotYet),
            SlotState::Served => Ok(()),
            SlotState::Past => Err(Refusal::TooLate),
        }
    }

    /// The name that an item for this pair of subjects has.
    pub fn item_id(&self, subject_number: u32, own_reference: &str) -> ItemId {
        item_id(
            self.terms.round_id(),
            &self.item_seed,
            subject_number,
            own_reference,
        )
    }

    /// Seals a release: the review desk's act.
    pub fn release(
        &self,
        release: &Release<'_>,
        desk: &ReleaseSigner,
    ) -> Result<ReleasedItem, LocalFault> {
        ReleasedItem::seal(&self.terms, &self.item_seed, release, desk)
    }

    /// Freezes the answer of a slot from the items whose decisions are durable.
    pub fn freeze(
        &self,
        slot: u8,
        items: &[ReleasedItem],
        ledger_commitment: &Digest,
        signer: &NodeSigner,
    ) -> Result<Answer, LocalFault> {
        Answer::freeze(&self.terms, slot, items, ledger_commitment, signer)
    }

    /// Checks the requester's receipt for a frozen answer.
    pub fn handle_receipt(&self, receipt: &Receipt, answer: &Answer) -> Result<(), PeerFault> {
        if receipt.slot != answer.slot() || receipt.answer_digest != answer.digest() {
            return Err(PeerFault::Answer(receipt.slot));
        }
        let parts: [&[u8]; 4] = [
            &self.terms.round_id().0,
            &[receipt.slot],
            &receipt.answer_digest.0,
            &receipt.ledger_commitment.0,
        ];
        verify(
            "the receipt",
            &self.terms.offer().requester.0,
            labels::RECEIPT,
            &parts,
            &receipt.signature,
        )
    }
}
