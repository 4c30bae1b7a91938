//! The slots: freeze, fetch, receipt, open.

use mandorla_protocol::requester::{AwaitingAnswers, SealedAnswer};
use mandorla_protocol::responder::{Questioned, SlotState};
use mandorla_protocol::{
    Answer, Digest, Fact, Message, OpenedItem, PeerFault, ProtocolError, ReleasedItem, Role, encode,
};

use super::{Opened, Stop, World, unexpected};

impl World {
    /// Every slot of the round, at its time.
    pub(crate) fn answer(
        &mut self,
        mut awaiting: AwaitingAnswers,
        questioned: &Questioned,
        items: &[ReleasedItem],
    ) -> Result<(AwaitingAnswers, Vec<Answer>, Vec<Opened>), Stop> {
        let (mut answers, mut opened) = (Vec::new(), Vec::new());
        while let Some(slot) = awaiting.next_slot(self.now) {
            self.now = questioned.cutoff(slot);
            let answer = self.freeze(questioned, slot, items);
            self.now = awaiting.slot_time(slot);
            let sealed = self.fetch(&mut awaiting, questioned, slot, &answer)?;
            opened.extend(self.receipt_and_open(&awaiting, questioned, &answer, sealed)?);
            answers.push(answer);
            self.exchange_pair_log()?;
        }
        self.now = questioned.closes_at();
        assert_eq!(awaiting.closes_at(), self.now, "both sides know the time");
        Ok((awaiting, answers, opened))
    }

    pub(crate) fn freeze(
        &mut self,
        questioned: &Questioned,
        slot: u8,
        items: &[ReleasedItem],
    ) -> Answer {
        let of_slot = items.iter().filter(|item| item.slot() == slot);
        let of_slot: Vec<_> = of_slot.cloned().collect();
        let commitment = Digest(self.plan.coins.responder_ledger_commitment);
        let signer = self.plan.parties.responder_signer();
        let answer = questioned
            .freeze(slot, &of_slot, &commitment, &signer)
            .unwrap();
        self.store(Role::Responder, &format!("answer {slot}"), answer.bytes());
        answer
    }

    fn fetch(
        &mut self,
        awaiting: &mut AwaitingAnswers,
        questioned: &Questioned,
        slot: u8,
        answer: &Answer,
    ) -> Result<SealedAnswer, Stop> {
        assert!(
            self.now * 1_000 >= questioned.quiet_until_ms(),
            "no connection while quiet"
        );
        let [resume, resumed] = ["resume", "resumed"].map(|name| format!("{name} {slot}"));
        self.resume(questioned.terms().round_id(), [&resume, &resumed])?;

        let step = format!("fetch {slot}");
        let message = self.send(Role::Requester, &step, &Message::Fetch { slot })?;
        let Message::Fetch { slot: asked } = message else {
            return Err(unexpected(Role::Responder, &step, &message, "Fetch"));
        };
        questioned
            .check_fetch(asked, self.now)
            .map_err(ProtocolError::Refused)
            .map_err(Stop::at(Role::Responder, &step))?;
        assert_eq!(questioned.slot_state(asked, self.now), SlotState::Served);

        let step = format!("answer-header {slot}");
        let bytes = answer.bytes().len() as u64;
        let message = self.send(Role::Responder, &step, &Message::Answer { bytes })?;
        let Message::Answer { bytes: announced } = message else {
            return Err(unexpected(Role::Requester, &step, &message, "Answer"));
        };
        let expected = mandorla_protocol::answer_bytes(awaiting.terms()) as u64;
        if announced != expected {
            return Err(Stop::at(Role::Requester, &step)(PeerFault::Length {
                what: "an answer",
                expected,
                got: announced,
            }));
        }
        let step = format!("answer {slot}");
        let bytes = self.deliver(Role::Responder, &step, answer.bytes().to_vec());
        let sealed = awaiting
            .handle_answer(slot, bytes)
            .map_err(Stop::at(Role::Requester, &step))?;
        self.store(Role::Requester, &step, sealed.bytes());
        self.store(Role::Requester, "awaiting answers", &encode(awaiting));
        Ok(sealed)
    }

    fn receipt_and_open(
        &mut self,
        awaiting: &AwaitingAnswers,
        questioned: &Questioned,
        answer: &Answer,
        sealed: SealedAnswer,
    ) -> Result<Vec<Opened>, Stop> {
        let parties = self.plan.parties.clone();
        let (round_id, digest) = (awaiting.terms().round_id(), sealed.digest());
        let commitment = Digest(self.plan.coins.requester_ledger_commitment);
        let signer = parties.requester_signer();
        let (receipt, receipted) = sealed.receipt(awaiting.terms(), commitment, &signer);
        let slot = receipt.slot;
        self.store(Role::Requester, "receipt", &encode(&receipt));

        let step = format!("receipt {slot}");
        let message = self.send(Role::Requester, &step, &receipt.clone().into())?;
        let Message::Receipt(received) = message else {
            return Err(unexpected(Role::Responder, &step, &message, "Receipt"));
        };
        questioned
            .handle_receipt(&received, answer)
            .map_err(Stop::at(Role::Responder, &step))?;
        self.store(Role::Responder, "receipt", &encode(&received));

        let step = format!("receipt-ack {slot}");
        let message = self.send(Role::Responder, &step, &Message::ReceiptAck { slot })?;
        if message != (Message::ReceiptAck { slot }) {
            return Err(unexpected(Role::Requester, &step, &message, "ReceiptAck"));
        }
        self.both_know(round_id, &Fact::Answer { slot, digest });
        self.both_know(round_id, &Fact::Receipt(received));

        let desk = parties.responder_desk().public();
        let opened = receipted.open(awaiting.terms(), &desk, &self.hit_keys);
        for item in &opened {
            self.store(Role::Requester, "item", &item_bytes(item));
        }
        Ok(opened)
    }
}

fn item_bytes(opened: &Opened) -> Vec<u8> {
    match opened {
        Ok(OpenedItem {
            item_id,
            subject_number,
            proven_types,
            package,
        }) => encode(&(*item_id, *subject_number, *proven_types, package.clone())),
        Err(set_aside) => format!("{set_aside:?}").into_bytes(),
    }
}
