//! The question: approved, sent, checked, acknowledged.

use mandorla_protocol::requester::{AwaitingAnswers, PendingQuestion};
use mandorla_protocol::responder::{Evaluated, Questioned, Receiving};
use mandorla_protocol::{Fact, Message, PeerFault, QuestionApproval, Role, encode};

use super::{Stop, World, unexpected};

impl World {
    pub(crate) fn ask(
        &mut self,
        pending: PendingQuestion,
        evaluated: &Evaluated,
    ) -> Result<(AwaitingAnswers, Questioned), Stop> {
        self.now = self.plan.t0;
        let parties = self.plan.parties.clone();
        let round_id = pending.terms().round_id();
        let approval = QuestionApproval::approve(pending.summary(), &parties.requester_desk());
        let seeking = pending
            .approve(&approval)
            .map_err(Stop::at(Role::Requester, "seek"))?;
        self.store(Role::Requester, "seeking", &encode(&seeking));
        self.resume(round_id, ["resume", "resumed"])?;
        let seek = seeking
            .seek(&parties.requester_signer(), self.now)
            .map_err(Stop::at(Role::Requester, "seek"))?;
        let seek = self.send(Role::Requester, "seek", &seek)?;
        let desk = parties.requester_desk().public();
        let receiving = evaluated
            .handle_seek(&seek, &desk, self.now)
            .map_err(Stop::at(Role::Responder, "seek"))?;
        let cells = self.deliver(Role::Requester, "cells", self.question_cells.clone());
        let questioned = self
            .receive_cells(receiving, evaluated, cells)
            .map_err(Stop::at(Role::Responder, "cells"))?;
        self.store(Role::Responder, "questioned", &encode(&questioned));

        let message = questioned
            .acknowledge(&seek)
            .map_err(Stop::at(Role::Responder, "seek"))?;
        let message = self.send(Role::Responder, "seek-ack", &message)?;
        let Message::SeekAck { time, signature } = message else {
            return Err(unexpected(Role::Requester, "seek-ack", &message, "SeekAck"));
        };
        let awaiting = seeking
            .handle_seek_ack(time, &signature, self.now, self.now)
            .map_err(Stop::at(Role::Requester, "seek-ack"))?;
        self.store(Role::Requester, "awaiting answers", &encode(&awaiting));
        let (root, t0) = (questioned.question_root(), questioned.t0());
        self.both_know(round_id, &Fact::Question { root, t0 });
        Ok((awaiting, questioned))
    }

    /// The responder writes the cells into its file, checks them, and makes the question durable.
    pub(crate) fn receive_cells(
        &mut self,
        receiving: Receiving,
        evaluated: &Evaluated,
        cells: Vec<u8>,
    ) -> Result<Questioned, PeerFault> {
        let terms = evaluated.terms();
        if !cells.len().is_multiple_of(terms.cell_bytes()) {
            return Err(PeerFault::Length {
                what: "the cells",
                expected: terms.cells() * terms.cell_bytes() as u64,
                got: cells.len() as u64,
            });
        }
        let mut check = receiving.check();
        for cell in cells.chunks_exact(terms.cell_bytes()) {
            check.push(cell).map_err(PeerFault::Question)?;
        }
        let checked = check.finish().map_err(PeerFault::Question)?;
        let signer = self.plan.parties.responder_signer();
        let questioned = receiving.finish(checked, self.now, &signer)?;
        self.received_cells = cells;
        Ok(questioned)
    }
}
