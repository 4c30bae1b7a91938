//! The pair log: the requester proposes, the responder appends what it knows itself and countersigns.

use mandorla_protocol::{Fact, FactName, Message, PairLog, PeerFault, Role, RoundId};

use super::{Side, Stop, World, unexpected};

impl World {
    /// A fact that both sides know by their own doing; it goes out with the next offer.
    pub(crate) fn both_know(&mut self, round_id: RoundId, fact: &Fact) {
        let name = fact.name(round_id);
        self.requester.facts.insert(name, fact.clone());
        self.responder.facts.insert(name, fact.clone());
    }

    /// Offers all facts that are not in the log yet.
    pub(crate) fn exchange_pair_log(&mut self) -> Result<(), Stop> {
        let number = self.pair_exchanges;
        self.pair_exchanges += 1;
        let parties = self.plan.parties.clone();
        let facts = in_log_order(&self.requester);
        let log = self.extended(Role::Requester, &facts).unwrap();
        let checkpoint = log.offer_note(&parties.requester_signer());

        let step = format!("pair-offer {number}");
        let (offered, note) = (facts.clone(), checkpoint.clone());
        let offer = Message::PairOffer {
            facts: offered,
            checkpoint: note,
        };
        let message = self.send(Role::Requester, &step, &offer)?;
        let Message::PairOffer {
            facts: offered,
            checkpoint: note,
        } = message
        else {
            return Err(unexpected(Role::Responder, &step, &message, "PairOffer"));
        };
        let countersigned = self.extended(Role::Responder, &offered).and_then(|own| {
            let signature_line = own.countersign(&note, &parties.responder_signer())?;
            Ok((own, signature_line))
        });
        let (own, signature_line) = countersigned.map_err(Stop::at(Role::Responder, &step))?;
        self.commit(Role::Responder, own, &offered);
        self.store(Role::Responder, "pair note", note.as_bytes());

        let step = format!("pair-accept {number}");
        let accept = Message::PairAccept { signature_line };
        let message = self.send(Role::Responder, &step, &accept)?;
        let Message::PairAccept { signature_line } = message else {
            return Err(unexpected(Role::Requester, &step, &message, "PairAccept"));
        };
        let note = log
            .complete_note(&checkpoint, &signature_line)
            .map_err(Stop::at(Role::Requester, &step))?;
        self.commit(Role::Requester, log, &facts);
        self.store(Role::Requester, "pair note", note.as_bytes());
        Ok(())
    }

    /// A side's log with these facts appended from its own knowledge.
    fn extended(&mut self, role: Role, facts: &[FactName]) -> Result<PairLog, PeerFault> {
        let terms = self.terms();
        let side = self.side(role);
        let mut log = side.pair_log.clone();
        for name in facts {
            let fact = side.facts.get(name);
            let fact = fact.ok_or(PeerFault::PairLog("a fact is not known here"))?;
            log.append(&fact.leaf(&terms));
        }
        Ok(log)
    }

    fn commit(&mut self, role: Role, log: PairLog, facts: &[FactName]) {
        let side = self.side(role);
        side.pair_log = log;
        for name in facts {
            side.facts.remove(name);
        }
    }

    fn terms(&self) -> mandorla_protocol::Terms {
        mandorla_protocol::decode(self.requester.entry("terms")).unwrap()
    }
}

/// By the table of kinds, but an answer and its receipt by slot.
fn in_log_order(side: &Side) -> Vec<FactName> {
    let mut names: Vec<_> = side.facts.keys().copied().collect();
    names.sort_by_key(|name| match name.kind {
        4 | 5 => (4, name.index, name.kind),
        kind => (kind, 0, kind),
    });
    names
}
