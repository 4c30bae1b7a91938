//! The question arrives: announced, received into a run file, checked, durable, acknowledged; then matched.

use std::sync::Arc;
use std::time::Duration;

use mandorla_agreement::State;
use mandorla_protocol::responder::{Evaluated, Questioned, Receiving};
use mandorla_protocol::{
    CLOCK_SKEW_MAX_S, CheckedQuestion, Fact, LocalFault, Message, PeerFault, QuestionFault, Refusal,
};
use mandorla_store::run_file::{RunOrder, RunWriter};
use mandorla_transport::{Connection, RecvStream};
use tokio::time::timeout;

use super::{damaged, end_if_culprit};
use crate::control_stream::{ControlStream, REPLY_TIMEOUT};
use crate::events::Event;
use crate::justification::justified;
use crate::node::Node;
use crate::peers;
use crate::records::round::{RoundRecord, RoundState};
use crate::rounds::error::RoundError;
use crate::rounds::files::{CELLS, cells_name, remove};
use crate::rounds::update::update;
use crate::rounds::{pair, ruled_of, signer_of};

/// The requester closes the connection when it has the acknowledgement; then this node does.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);
/// Cells read at once.
const READ_CELLS: usize = 4_096;

pub(super) async fn handle(
    node: &Arc<Node>,
    connection: &Connection,
    stream: &mut ControlStream,
    record: &RoundRecord,
    seek: &Message,
) -> Result<(), RoundError> {
    let acknowledgement = match record.state {
        RoundState::AwaitingApproval => {
            let taken = take(node, connection, record, seek).await;
            if let Err(error) = &taken {
                end_if_culprit(node, record, error);
            }
            taken?
        }
        // The acknowledgement was lost: the same one again.
        RoundState::Questioned | RoundState::Matched => {
            let questioned: Questioned = record.machine().ok_or_else(damaged)?;
            questioned.acknowledge(seek)?
        }
        _ => return Err(RoundError::Refused(Refusal::UnknownRound)),
    };
    stream.send(&acknowledgement).await?;
    // The load of matching must not be seen on the line: the peer has what it came for and hears nothing from here on,
    // on this connection or another.
    stream.finish().await;
    let _ = timeout(LEAVE_WITHIN, connection.closed()).await;
    node.close_connections_of(&connection.peer());
    Err(RoundError::Served)
}

async fn take(
    node: &Arc<Node>,
    connection: &Connection,
    record: &RoundRecord,
    seek: &Message,
) -> Result<Message, RoundError> {
    let evaluated: Evaluated = record.machine().ok_or_else(damaged)?;
    let ruled = ruled_of(node, record)?;
    must_go_on(ruled.state)?;
    let terms = evaluated.terms().offer();
    let release_key = peers::release_key_of(node, &record.peer, &terms.requester)?;
    let own = signer_of(node, &terms.responder)?;
    let receiving = evaluated.handle_seek(seek, &release_key, node.clock.now_s())?;
    let bulk = timeout(REPLY_TIMEOUT, connection.accept_uni()).await;
    let bulk = bulk.map_err(|_| RoundError::Line("the cells did not come".to_owned()))??;
    let question = receive_cells(node, record, &evaluated, &receiving, bulk).await?;
    let now = node.clock.now_s();
    if now > evaluated.terms().question_deadline() + CLOCK_SKEW_MAX_S {
        return Err(LocalFault::Lapsed.into());
    }
    let questioned = receiving.finish(question, now, &own.signer)?;
    let acknowledgement = questioned.acknowledge(seek)?;
    let event = node
        .event(Event::QuestionReceived)
        .by(record.peer.clone(), "peer")
        .detail("question_root", question.root().to_string())
        .detail("t0", now);
    let case = questioned.case_reference();
    let event = justified(event, &ruled.agreement, node.code(), Some(case));
    let root = evaluated.evaluation_root();
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::AwaitingApproval],
        event,
        |tx, record| {
            record.state = RoundState::Questioned;
            record.t0 = Some(now);
            record.case_reference = Some(questioned.case_reference().to_owned());
            record.set_machine(&questioned);
            "the question is being matched".clone_into(&mut record.detail);
            let terms = questioned.terms();
            // The question proves that the requester has the evaluation, even if its acknowledgement was lost.
            super::evaluate::log_evaluation(tx, record, terms, root)?;
            Ok(pair::add_fact(
                tx,
                record,
                terms,
                &Fact::Question {
                    root: question.root(),
                    t0: now,
                },
            )?)
        },
    )?;
    node.keep_quiet(&connection.peer(), questioned.quiet_until_ms());
    let (node, id) = (Arc::clone(node), record.id.clone());
    tokio::spawn(async move { super::matching::run(&node, &id).await });
    Ok(acknowledgement)
}

/// A suspension or the end of an agreement stops questions that are not acknowledged yet. What a pilot may touch was
/// decided at admission.
pub(super) fn must_go_on(state: State) -> Result<(), RoundError> {
    match state {
        state if state.lets_rounds_go_on() => Ok(()),
        State::Suspended => Err(RoundError::Refused(Refusal::Suspended)),
        State::Expired => Err(RoundError::Refused(Refusal::Dates)),
        _ => Err(RoundError::Refused(Refusal::NotLive)),
    }
}

async fn receive_cells(
    node: &Arc<Node>,
    record: &RoundRecord,
    evaluated: &Evaluated,
    receiving: &Receiving,
    mut bulk: RecvStream,
) -> Result<CheckedQuestion, RoundError> {
    let cell_bytes = evaluated.terms().cell_bytes();
    let dir = node.store.runs_dir();
    let name = cells_name(&record.id);
    remove(&dir.join(&name))?;
    let width = u16::try_from(cell_bytes).expect("a cell has at most 24 bytes");
    let mut writer = RunWriter::create(&dir, &name, CELLS, width, RunOrder::StrictlyAscending)?;
    let mut check = receiving.check();
    let mut left = evaluated.terms().cells();
    let mut buffer = vec![0; READ_CELLS * cell_bytes];
    while left > 0 {
        let cells = usize::try_from(left).unwrap_or(READ_CELLS).min(READ_CELLS);
        let block = &mut buffer[..cells * cell_bytes];
        let read = timeout(REPLY_TIMEOUT, bulk.read_exact(block)).await;
        read.map_err(|_| RoundError::Line("the cells stopped coming".to_owned()))?
            .map_err(|error| RoundError::Line(error.to_string()))?;
        for cell in block.chunks_exact(cell_bytes) {
            check.push(cell).map_err(PeerFault::Question)?;
            writer.push(cell)?;
        }
        left -= cells as u64;
    }
    // One byte more than announced is the peer's fault; a line that breaks here is nobody's.
    let mut rest = [0; 1];
    match timeout(REPLY_TIMEOUT, bulk.read(&mut rest)).await {
        Ok(Ok(None)) => {}
        Ok(Ok(Some(_))) => return Err(PeerFault::Question(QuestionFault::Count).into()),
        Ok(Err(error)) => return Err(RoundError::Line(error.to_string())),
        Err(_) => return Err(RoundError::Line("the cells do not end".to_owned())),
    }
    let question = check.finish().map_err(PeerFault::Question)?;
    writer.finish()?;
    Ok(question)
}
