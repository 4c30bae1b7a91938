//! Sending the approved question, or word that none comes.

use std::sync::Arc;
use std::time::Duration;

use mandorla_protocol::requester::Seeking;
use mandorla_protocol::{EndReason, Fact, Message, PeerFault, Refusal, Terms};
use mandorla_store::run_file::RunReader;
use mandorla_transport::Connection;
use tokio::time::timeout;

use super::derive::width;
use super::evaluate::resume;
use super::{connect, count_bytes, damaged, pending_question};
use crate::control_stream::{ControlStream, REPLY_TIMEOUT};
use crate::events::Event;
use crate::node::Node;
use crate::records::round::{RoundRecord, RoundState};
use crate::rounds::error::RoundError;
use crate::rounds::files::{CELLS, cells_name, remove};
use crate::rounds::update::{note, update};
use crate::rounds::{clean_up, pair, ruled_of, signer_of};

/// All cells of the largest question pass in this time, or the line is tried anew.
const ACK_TIMEOUT: Duration = Duration::from_mins(30);

/// Sends the question until it is acknowledged; sending it again is harmless.
pub(super) async fn send(node: &Arc<Node>, record: &RoundRecord) -> Result<(), RoundError> {
    let seeking: Seeking = record.machine().ok_or_else(damaged)?;
    if record.first_sent.is_none() && !ruled_of(node, record)?.state.lets_rounds_go_on() {
        return stop(
            node,
            record,
            "the agreement is suspended or has ended: the question is not sent",
        );
    }
    let terms = seeking.terms().clone();
    let connection = connect(node, record).await?;
    let first_sent = record.first_sent.unwrap_or_else(|| node.clock.now_s());
    let own = signer_of(node, &terms.offer().requester)?;
    let seek = seeking.seek(&own.signer, first_sent)?;
    if record.first_sent.is_none() {
        note(node, &record.id, |_, record| {
            record.first_sent = Some(first_sent);
            Ok(())
        })?;
    }
    let evaluated_ack = seeking.question().evaluated_ack(&own.signer);
    let outcome = exchange(node, record, &connection, &terms, [&evaluated_ack, &seek]).await;
    count_bytes(node, &record.id, &connection);
    let (time, signature) = match outcome {
        Err(RoundError::Refused(Refusal::TooLate)) => {
            return stop(node, record, "the peer did not get the question in time");
        }
        outcome => outcome?,
    };
    let awaiting = seeking.handle_seek_ack(time, &signature, first_sent, node.clock.now_s())?;
    let event = node
        .event(Event::QuestionAcknowledged)
        .detail("question_root", awaiting.question_root().to_string())
        .detail("t0", time);
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::Sending],
        event,
        |tx, record| {
            record.state = RoundState::AwaitingAnswers;
            record.t0 = Some(time);
            record.set_machine(&awaiting);
            "the answer comes at its slot, whatever it is".clone_into(&mut record.detail);
            let fact = Fact::Question {
                root: awaiting.question_root(),
                t0: time,
            };
            Ok(pair::add_fact(tx, record, &terms, &fact)?)
        },
    )?;
    remove(&node.store.runs_dir().join(cells_name(&record.id)))?;
    Ok(())
}

/// The round ends without a question, and the peer is told.
fn stop(node: &Node, record: &RoundRecord, why: &str) -> Result<(), RoundError> {
    let event = node.event(Event::QuestionNotSent).detail("why", why);
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::Sending],
        event,
        |_, record| {
            record.state = RoundState::Withdrawing;
            record.withdraw = Some(EndReason::Lapsed as u8);
            why.clone_into(&mut record.detail);
            Ok(())
        },
    )?;
    Ok(())
}

async fn exchange(
    node: &Node,
    record: &RoundRecord,
    connection: &Connection,
    terms: &Terms,
    messages: [&Message; 2],
) -> Result<(u64, mandorla_protocol::SignatureBytes), RoundError> {
    let mut stream = resume(node, connection, terms).await?;
    for message in messages {
        stream.send(message).await?;
    }
    // A peer that has the question already acknowledges at once and reads no cells.
    let mut cells = std::pin::pin!(send_cells(node, record, connection, terms));
    let mut reply = std::pin::pin!(reply(&mut stream));
    let mut sent = false;
    let message = loop {
        tokio::select! {
            message = &mut reply => break message?,
            outcome = &mut cells, if !sent => {
                outcome?;
                sent = true;
            }
        }
    };
    match message {
        Message::SeekAck { time, signature } => Ok((time, signature)),
        other => Err(PeerFault::Unexpected {
            got: other.name(),
            expected: "SeekAck",
        }
        .into()),
    }
}

/// The next message but a repeated EVALUATED, which has been answered.
async fn reply(stream: &mut ControlStream) -> Result<Message, RoundError> {
    match stream.receive(ACK_TIMEOUT).await? {
        Message::Evaluated { .. } => Ok(stream.receive(ACK_TIMEOUT).await?),
        message => Ok(message),
    }
}

async fn send_cells(
    node: &Node,
    record: &RoundRecord,
    connection: &Connection,
    terms: &Terms,
) -> Result<(), RoundError> {
    let line = |error: &dyn std::fmt::Display| RoundError::Line(error.to_string());
    let path = node.store.runs_dir().join(cells_name(&record.id));
    let mut cells = RunReader::open(&path, CELLS, width(terms.cell_bytes()))?;
    let mut bulk = connection.open_uni().await?;
    while let Some(records) = cells.next_records()? {
        let written = timeout(REPLY_TIMEOUT, bulk.write_all(records)).await;
        written
            .map_err(|_| line(&"the peer takes no cells"))?
            .map_err(|error| line(&error))?;
    }
    bulk.finish().map_err(|error| line(&error))
}

/// Tells the peer that no question comes; then the round is over.
pub(super) async fn withdraw(node: &Arc<Node>, record: &RoundRecord) -> Result<(), RoundError> {
    let reason = record
        .withdraw
        .and_then(EndReason::from_byte)
        .ok_or_else(damaged)?;
    let Some(question) = pending_question(record) else {
        return finish_withdrawal(node, record, None);
    };
    let terms = question.terms().clone();
    // The peer lets the round lapse by itself some time after the deadline: no use in calling then.
    if node.clock.now_s() > terms.question_deadline() + WITHDRAW_GRACE_S {
        return finish_withdrawal(node, record, None);
    }
    let own = signer_of(node, &terms.offer().requester)?;
    let connection = connect(node, record).await?;
    let outcome = async {
        let mut stream: ControlStream = resume(node, &connection, &terms).await?;
        stream.send(&question.evaluated_ack(&own.signer)).await?;
        stream.send(&question.withdraw(reason, &own.signer)).await?;
        match reply(&mut stream).await? {
            Message::WithdrawAck => {}
            other => {
                return Err(PeerFault::Unexpected {
                    got: other.name(),
                    expected: "WithdrawAck",
                }
                .into());
            }
        }
        finish_withdrawal(node, record, Some((&terms, reason)))?;
        pair::settle(node, &mut stream, record, &terms).await;
        stream.send(&Message::Done).await?;
        stream.finish().await;
        Ok(())
    };
    let outcome = outcome.await;
    count_bytes(node, &record.id, &connection);
    match outcome {
        Err(RoundError::Refused(Refusal::UnknownRound | Refusal::TooLate)) => {
            finish_withdrawal(node, record, None)
        }
        other => other,
    }
}

/// How long after the deadline the peer is still told; twice the clock difference that is tolerated.
const WITHDRAW_GRACE_S: u64 = 2 * mandorla_protocol::CLOCK_SKEW_MAX_S;

fn finish_withdrawal(
    node: &Node,
    record: &RoundRecord,
    told: Option<(&Terms, EndReason)>,
) -> Result<(), RoundError> {
    let event = node
        .event(Event::RoundWithdrawn)
        .detail("peer_told", told.is_some());
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::Withdrawing],
        event,
        |tx, record| {
            record.state = RoundState::Ended;
            record.machine = None;
            if let Some((terms, reason)) = told {
                pair::add_fact(tx, record, terms, &Fact::Ended(reason))?;
            }
            Ok(())
        },
    )?;
    clean_up(node, &record.id)
}
