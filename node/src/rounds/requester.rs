//! The requester's driver: one task per own round, from its proposal to its close.
//!
//! ```text
//! negotiating ─► evaluating ─► awaiting-approval ─► sending ─► awaiting-answers ─► closed
//!      ▲  (keys in memory: a       │  └─ declined, lapsed, cancelled ─► withdrawing ─► ended
//!      └── restart begins anew)    └─ the desk approves
//! ```
//! Every state but the first two is durable: after a restart the driver goes on where it was.

mod answers;
mod derive;
mod evaluate;
mod seek;

use std::sync::Arc;
use std::time::Duration;

use mandorla_protocol::EndReason;
use mandorla_protocol::requester::PendingQuestion;
use mandorla_transport::Connection;
use tokio::time::sleep;

use crate::events::Event;
use crate::node::Node;
use crate::peers;
use crate::records::round::{RoundRecord, RoundState};
use crate::rounds::clean_up;
use crate::rounds::error::RoundError;
use crate::rounds::update::{find, note, update};

/// Waiting before another try doubles up to this.
const RETRY_MAX: Duration = Duration::from_secs(30);
const RETRY_FIRST: Duration = Duration::from_millis(250);

/// Drives a round until it is over or the node stops.
pub(crate) async fn drive(node: Arc<Node>, id: String) {
    let mut retry = RETRY_FIRST;
    let mut stopping = node.stopping.subscribe();
    loop {
        let record = match find(&node, &id) {
            Ok(Some(record)) => record,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(round = %id, %error, "a round cannot be read and will be tried again");
                sleep(RETRY_MAX).await;
                continue;
            }
        };
        if record.state.is_over() || *stopping.borrow() {
            return;
        }
        let step = step(&node, &record);
        let outcome = tokio::select! {
            outcome = step => outcome,
            () = over(&node, &id), if record.state == RoundState::Negotiating || record.state == RoundState::Evaluating => {
                // Cancelled under way: what the step had written goes with it.
                if let Err(error) = clean_up(&node, &id) {
                    tracing::error!(round = %id, %error, "files of an ended round could not be removed");
                }
                return;
            }
            _ = stopping.changed() => return,
        };
        match outcome {
            Ok(()) => retry = RETRY_FIRST,
            Err(error) if error.is_passing() => {
                tracing::info!(round = %id, state = record.state.word(), %error, "round step will be tried again");
                if lapse_if_late(&node, &record).is_ok_and(|lapsed| lapsed) {
                    continue;
                }
                let _ = note(&node, &id, |_, record| {
                    record.detail = format!("trying again: {error}");
                    Ok(())
                });
                // A peer that keeps quiet says itself that it will soon be back.
                let is_quiet = matches!(error, RoundError::Quiet);
                tokio::select! {
                    () = sleep(if is_quiet { RETRY_FIRST } else { retry }) => {}
                    _ = stopping.changed() => return,
                }
                if !is_quiet {
                    retry = (retry * 2).min(RETRY_MAX);
                }
            }
            Err(error) => end(&node, &record, &error),
        }
    }
}

/// Waits until the round is over.
async fn over(node: &Node, id: &str) {
    let mut changes = node.rounds.changes();
    loop {
        changes.borrow_and_update();
        if find(node, id).is_ok_and(|round| round.is_none_or(|round| round.state.is_over())) {
            return;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn step(node: &Arc<Node>, record: &RoundRecord) -> Result<(), RoundError> {
    match record.state {
        RoundState::Negotiating | RoundState::Evaluating => evaluate::run(node, record).await,
        RoundState::AwaitingApproval => await_approval(node, record).await,
        RoundState::Sending => seek::send(node, record).await,
        RoundState::Withdrawing => seek::withdraw(node, record).await,
        RoundState::AwaitingAnswers => answers::next(node, record).await,
        RoundState::Questioned | RoundState::Matched | RoundState::Closed | RoundState::Ended => {
            Ok(())
        }
    }
}

/// Connects to the peer of a round.
pub(crate) async fn connect(node: &Node, record: &RoundRecord) -> Result<Connection, RoundError> {
    let (address, keys) = peers::address_of(node, &record.peer).await?;
    let endpoint = node.endpoint.get().ok_or(RoundError::Stopping)?;
    Ok(peers::connect_any(endpoint, address, &keys).await?)
}

/// Adds what a connection carried to the round's byte counts.
pub(crate) fn count_bytes(node: &Node, id: &str, connection: &Connection) {
    let traffic = connection.stats();
    let _ = note(node, id, |_, record| {
        record.wire_sent += traffic.udp_tx_bytes;
        record.wire_received += traffic.udp_rx_bytes;
        Ok(())
    });
}

/// Waits until the desk decides, the analyst cancels, or the deadline passes.
async fn await_approval(node: &Node, record: &RoundRecord) -> Result<(), RoundError> {
    let Some(terms) = record.terms() else {
        return Err(damaged());
    };
    let woken = node.rounds.notify_of(&record.id);
    tokio::select! {
        () = woken.notified() => {}
        () = sleep(node.clock.until_s(terms.question_deadline() + 1)) => {
            lapse_if_late(node, record)?;
        }
    }
    Ok(())
}

/// A question that was not approved, or could not be sent, by its deadline lapses.
fn lapse_if_late(node: &Node, record: &RoundRecord) -> Result<bool, RoundError> {
    let waits = matches!(
        record.state,
        RoundState::AwaitingApproval | RoundState::Sending
    );
    let late = record
        .terms()
        .is_some_and(|terms| node.clock.now_s() > terms.question_deadline());
    // A question that was sent once may have arrived: only the peer can say that it has not.
    if !waits || !late || record.first_sent.is_some() {
        return Ok(false);
    }
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::AwaitingApproval, RoundState::Sending],
        node.event(Event::RoundLapsed),
        |_, record| {
            record.state = RoundState::Withdrawing;
            record.withdraw = Some(EndReason::Lapsed as u8);
            "nobody approved the question in time".clone_into(&mut record.detail);
            Ok(())
        },
    )?;
    Ok(true)
}

/// The round cannot go on: it ends here, with the reason in the ledger. Nothing was disclosed by this step.
fn end(node: &Node, record: &RoundRecord, error: &RoundError) {
    tracing::warn!(round = %record.id, %error, "round ended");
    let reason = error.told();
    let event = match error {
        RoundError::NotAdmitted(refusal) => node
            .event(Event::RoundRefused)
            .detail("peer", record.peer.clone())
            .detail("rule", refusal.rule)
            .detail("clause", refusal.clause.clone()),
        _ => node
            .event(Event::RoundEnded)
            .detail("reason", reason.clone()),
    };
    let ended = update::<RoundError>(node, &record.id, &RoundState::OPEN, event, |_, record| {
        record.state = RoundState::Ended;
        record.machine = None;
        record.detail = reason;
        Ok(())
    });
    if ended.is_ok() {
        let _ = clean_up(node, &record.id);
    }
}

/// The pending question of a round that has one.
pub(crate) fn pending_question(record: &RoundRecord) -> Option<PendingQuestion> {
    match record.state {
        RoundState::Sending => Some(
            record
                .machine::<mandorla_protocol::requester::Seeking>()?
                .question()
                .clone(),
        ),
        _ => record.machine(),
    }
}

pub(crate) fn damaged() -> RoundError {
    RoundError::Storage("the round's record cannot be read".to_owned())
}
