//! The question arrives: announced, received into a run file, checked, durable, acknowledged; then matched.

use std::sync::Arc;

use mandorla_protocol::responder::{Evaluated, Questioned, Receiving};
use mandorla_protocol::{CheckedQuestion, Fact, Message, PeerFault, QuestionFault, Refusal};
use mandorla_store::run_file::{RunOrder, RunWriter};
use mandorla_transport::{Connection, RecvStream};
use tokio::time::timeout;

use super::{damaged, end_if_culprit};
use crate::control_stream::{ControlStream, REPLY_TIMEOUT};
use crate::node::Node;
use crate::records::round::{RoundRecord, RoundState};
use crate::rounds::error::RoundError;
use crate::rounds::files::{CELLS, cells_name, remove};
use crate::rounds::update::update;
use crate::rounds::{pair, ruled_of};

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
    // The load of matching must not be seen on the line: the peer hears nothing from here on.
    match stream.receive(REPLY_TIMEOUT).await {
        Ok(other) => Err(super::unexpected(&other, "the end of the connection")),
        Err(_) => Ok(()),
    }
}

async fn take(
    node: &Arc<Node>,
    connection: &Connection,
    record: &RoundRecord,
    seek: &Message,
) -> Result<Message, RoundError> {
    let evaluated: Evaluated = record.machine().ok_or_else(damaged)?;
    let ruled = ruled_of(node, record)?;
    let requester = ruled
        .agreement
        .party(&ruled.requester)
        .ok_or_else(damaged)?;
    let receiving =
        evaluated.handle_seek(seek, requester.release_key.as_bytes(), node.clock.now_s())?;
    let bulk = timeout(REPLY_TIMEOUT, connection.accept_uni()).await;
    let bulk = bulk.map_err(|_| RoundError::Line("the cells did not come".to_owned()))??;
    let question = receive_cells(node, record, &evaluated, &receiving, bulk).await?;
    let now = node.clock.now_s();
    let questioned = receiving.finish(question, now, &node.identity.signer)?;
    let acknowledgement = questioned.acknowledge(seek)?;
    let event = node
        .event("question.received")
        .by(record.peer.clone(), "peer")
        .detail("question_root", question.root().to_string())
        .detail("case_reference", questioned.case_reference())
        .detail("t0", now);
    let root = evaluated.evaluation_root();
    update::<RoundError>(node, &record.id, event, |tx, record| {
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
    })?;
    node.keep_quiet(&connection.peer(), questioned.quiet_until_ms());
    let (node, id) = (Arc::clone(node), record.id.clone());
    tokio::spawn(async move { super::matching::run(&node, &id).await });
    Ok(acknowledgement)
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
    let rest = timeout(REPLY_TIMEOUT, bulk.read_to_end(0)).await;
    if !matches!(rest, Ok(Ok(_))) {
        return Err(PeerFault::Question(QuestionFault::Count).into());
    }
    let question = check.finish().map_err(PeerFault::Question)?;
    writer.finish()?;
    Ok(question)
}
