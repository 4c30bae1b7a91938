//! Terms: offer, accept, confirm; and going on with a round on a new connection.

use mandorla_protocol::requester::{Accepted, Evaluating, Offered};
use mandorla_protocol::responder::{Accepting, Blinding, accept_offer_with};
use mandorla_protocol::{
    Fact, Message, PeerFault, ProtocolError, Role, RoundId, bind, encode, verify_binding,
};

use super::{Stop, World, unexpected};

impl World {
    pub(crate) fn open(&mut self) -> Result<(Evaluating, Blinding), Stop> {
        let (accepted, accepting, binding) = self.agree_on_terms()?;
        self.confirm(accepted, accepting, &binding)
    }

    pub(crate) fn agree_on_terms(&mut self) -> Result<(Accepted, Accepting, [u8; 64]), Stop> {
        let plan = &self.plan;
        let (keys, secrets) = (plan.coins.keys(), plan.coins.requester_secrets());
        let (offered, message) =
            Offered::with_secrets(plan.requester_input(), keys, secrets, plan.requester_time)
                .map_err(Stop::at(Role::Requester, "offer"))?;
        let message = self.send(Role::Requester, "offer", &message)?;
        let Message::Offer(offer) = message else {
            return Err(unexpected(Role::Responder, "offer", &message, "Offer"));
        };

        self.now = self.plan.responder_time;
        let (plan, exporter) = (&self.plan, self.plan.coins.exporter);
        let (accepting, message) = accept_offer_with(
            &plan.responder_input(),
            offer,
            plan.coins.responder_secrets(),
            self.now,
            &plan.parties.responder_signer(),
            |_| Some(exporter),
        )
        .map_err(ProtocolError::Refused)
        .map_err(Stop::at(Role::Responder, "offer"))?;
        let message = self.send(Role::Responder, "accept", &message)?;
        let Message::Accept {
            offer,
            signature,
            binding,
        } = message
        else {
            return Err(unexpected(Role::Requester, "accept", &message, "Accept"));
        };
        let accepted = offered
            .handle_accept(offer, &signature, self.now)
            .map_err(Stop::at(Role::Requester, "accept"))?;
        Ok((accepted, accepting, binding))
    }

    pub(crate) fn confirm(
        &mut self,
        accepted: Accepted,
        accepting: Accepting,
        binding: &[u8; 64],
    ) -> Result<(Evaluating, Blinding), Stop> {
        let coins = self.plan.coins.clone();
        let terms = accepted.terms().clone();
        self.store(Role::Requester, "terms", &encode(&terms));
        let signer = self.plan.parties.requester_signer();
        let (evaluating, message) = accepted
            .confirm_with(binding, &coins.exporter, &signer, &coins.possession)
            .map_err(Stop::at(Role::Requester, "accept"))?;
        let message = self.send(Role::Requester, "confirm", &message)?;
        let Message::Confirm {
            signature,
            binding,
            possession,
        } = message
        else {
            return Err(unexpected(Role::Responder, "confirm", &message, "Confirm"));
        };
        let blinding = accepting
            .handle_confirm(&signature, &binding, &possession, &coins.exporter)
            .map_err(Stop::at(Role::Responder, "confirm"))?;
        self.store(Role::Responder, "blinding", &encode(blinding.record()));
        let evaluations = terms.evaluations();
        self.both_know(terms.round_id(), &Fact::Terms { evaluations });
        Ok((evaluating, blinding))
    }

    /// A new connection, both ends of which are bound to the round.
    pub(crate) fn resume(&mut self, round_id: RoundId, names: [&str; 2]) -> Result<(), Stop> {
        let parties = self.plan.parties.clone();
        let exporter = self.plan.coins.exporter;
        let (requester, responder) = (parties.requester_signer(), parties.responder_signer());
        let binding = bind(&requester, Role::Requester, round_id, &exporter);
        let resume = Message::Resume { round_id, binding };
        let message = self.send(Role::Requester, names[0], &resume)?;
        let Message::Resume {
            round_id: named,
            binding,
        } = message
        else {
            return Err(unexpected(Role::Responder, names[0], &message, "Resume"));
        };
        if named != round_id {
            let why = ProtocolError::Refused(mandorla_protocol::Refusal::UnknownRound);
            return Err(Stop::at(Role::Responder, names[0])(why));
        }
        verify_binding(
            &requester.public(),
            Role::Requester,
            named,
            &exporter,
            &binding,
        )
        .map_err(Stop::at(Role::Responder, names[0]))?;

        let binding = bind(&responder, Role::Responder, round_id, &exporter);
        let message = self.send(Role::Responder, names[1], &Message::Resumed { binding })?;
        let Message::Resumed { binding } = message else {
            return Err(unexpected(Role::Requester, names[1], &message, "Resumed"));
        };
        let verified: Result<(), PeerFault> = verify_binding(
            &responder.public(),
            Role::Responder,
            round_id,
            &exporter,
            &binding,
        );
        verified.map_err(Stop::at(Role::Requester, names[1]))
    }
}
