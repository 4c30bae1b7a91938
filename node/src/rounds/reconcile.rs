//! Reconciling: both pair logs with a peer are compared, copy with copy, and facts that wait are settled.
//!
//! ```text
//!   PairState ─► size, offer in flight, note ─► both signatures? ─► same root: in step
//!                                                      └─ else all leaf hashes ─► root of the note? ─► first difference
//!   shorter here, marked as restored, a prefix of the peer's ─► its leaves ─► taken over
//!   shorter than what bears the own signature ─► this side lost history
//! ```
//! Nothing is asked for or answered but facts of the two logs between the two nodes.

mod answer;
mod compare;
mod settle;

use std::sync::Arc;

use mandorla_control::{ApiError, ErrorCode, ReconcileReport, ReconciledLog};
use mandorla_protocol::{Message, NodeKey, PairSide};
use mandorla_store::StoreError;
use mandorla_transport::CloseCode;

use crate::control_stream::{ControlError, ControlStream};
use crate::events::Event;
use crate::node::{Caller, Node, storage};
use crate::peers;
use crate::records::peer::PeerRecord;
use crate::records::round::Side;
use crate::rounds::error::RoundError;
use crate::rounds::pair::{self, Parties, log_name};
use crate::server::role_of;

pub(crate) use answer::answer;
use compare::{Outcome, compare};

/// Refuses a round with a peer whose pair log came from a backup.
pub(crate) fn check_before_round(node: &Node, peer: &str) -> Result<(), ApiError> {
    let tx = node.store.read().map_err(storage)?;
    if !pair::must_be_reconciled(&tx, peer).map_err(storage)? {
        return Ok(());
    }
    let message = format!(
        "refused: the pair log with {peer} came from a backup, and nothing is known of what was asked since"
    );
    Err(ApiError::new(ErrorCode::Refused, message)
        .hint(format!("mandorla audit reconcile --with {peer}")))
}

/// One log, from this node's side.
pub(super) struct Log {
    pub name: String,
    pub side: Side,
    pub wire: PairSide,
    /// Present keys: new facts are signed with them.
    pub parties: Parties,
    pub peer: PeerRecord,
}

impl Log {
    fn of(node: &Node, peer: &PeerRecord, key: NodeKey, side: Side) -> Self {
        Self {
            name: log_name(&peer.code, side),
            side,
            wire: match side {
                Side::Requester => PairSide::OpenerAsks,
                Side::Responder => PairSide::OpenerIsAsked,
            },
            parties: Parties::with(node, key, side),
            peer: peer.clone(),
        }
    }
}

/// Compares both logs with a peer, settles what waits, and records the outcome.
pub(crate) async fn reconcile(
    node: &Arc<Node>,
    caller: &Caller,
    roles: &'static [mandorla_control::Role],
    peer: &str,
) -> Result<ReconcileReport, ApiError> {
    let record = peers::find(node, peer)?;
    let (address, transport) = peers::address_of(node, peer).await?;
    let endpoint = node.endpoint.get().ok_or_else(|| {
        ApiError::new(ErrorCode::Unreachable, "this node does not listen yet")
            .hint("mandorla status")
    })?;
    let connection = peers::connect_any(endpoint, address, &transport)
        .await
        .map_err(|error| peers::connect_error(peer, &error))?;
    let key = NodeKey(peers::in_force(node, peer, Some(&connection.peer()))?.signing);
    let talk = async {
        let mut stream = ControlStream::open(&connection).await?;
        let mut logs = Vec::new();
        for side in Side::BOTH {
            let log = Log::of(node, &record, key, side);
            // A round of this direction that settles at the same time would move the log under the comparison.
            let lock = node.rounds.lock_of(&log.name);
            let _turn = lock.lock().await;
            logs.push(one(node, caller, roles, peer, &log, &mut stream).await?);
        }
        stream.send(&Message::Done).await?;
        stream.finish().await;
        Ok::<_, RoundError>(logs)
    };
    let talked = talk.await;
    connection.close(CloseCode::DONE, "");
    let logs = talked.map_err(|error| failed(peer, &error))?;
    let faults = logs.iter().filter_map(|log| {
        let fault = log.fault.as_ref()?;
        Some(format!("pair log {peer}, {}: {fault}", log.direction))
    });
    let faults: Vec<String> = faults.collect();
    Ok(ReconcileReport {
        schema: 1,
        peer: peer.to_owned(),
        in_step: faults.is_empty(),
        logs,
        faults,
    })
}

async fn one(
    node: &Arc<Node>,
    caller: &Caller,
    roles: &'static [mandorla_control::Role],
    peer: &str,
    log: &Log,
    stream: &mut ControlStream,
) -> Result<ReconciledLog, RoundError> {
    let mut compared = compare(node, log, stream).await?;
    let mut dropped = Vec::new();
    if compared.outcome.is_sound() {
        let settled = settle::settle(node, log, stream).await?;
        if settled.offered {
            compared = compare(node, log, stream).await?;
        }
        dropped = settled.dropped;
    }
    if let Outcome::Adoptable { .. } = compared.outcome {
        compared = compare::take_over(node, peer, log, stream, compared).await?;
    }
    let clears = matches!(compared.outcome, Outcome::InStep | Outcome::Adopted);
    let event = node
        .event_by(Event::PairLogReconciled, caller, role_of(caller, roles))
        .detail("peer", peer)
        .detail("direction", log.side.direction())
        .detail("outcome", compared.outcome.word())
        .detail("own_size", compared.own_size)
        .detail("peer_size", compared.peer_size);
    let waiting = node.store.write::<_, RoundError>(|tx| {
        for fact in &dropped {
            fact.drop_in(node, tx, peer, log)?;
        }
        if clears {
            clear_mark(tx, &log.name)?;
        }
        tx.append_ledger(event)?;
        Ok(pair::pending(tx, &log.name)?.len())
    })?;
    Ok(ReconciledLog {
        direction: log.side.direction().to_owned(),
        outcome: compared.outcome.word().to_owned(),
        own_facts: compared.own_size,
        peer_facts: compared.peer_size,
        pending: waiting as u64,
        dropped: dropped.iter().map(settle::Dropped::words).collect(),
        fault: compared.outcome.fault(),
    })
}

fn clear_mark(tx: &mandorla_store::WriteTx<'_>, name: &str) -> Result<(), StoreError> {
    use crate::records::pair::PAIR_LOGS;
    let Some(mut record) = tx.find(PAIR_LOGS, name)? else {
        return Ok(());
    };
    record.restored = false;
    tx.put(PAIR_LOGS, name, &record)
}

/// What a conversation that broke off means to the auditor.
fn failed(peer: &str, error: &RoundError) -> ApiError {
    let (code, hint) = match error {
        RoundError::Line(_) => (
            ErrorCode::PeerUnreachable,
            format!("mandorla peer ping {peer}"),
        ),
        RoundError::Quiet => (
            ErrorCode::PeerRefused,
            format!("mandorla audit reconcile --with {peer}, some minutes later"),
        ),
        RoundError::Refused(_) => (
            ErrorCode::PeerRefused,
            format!(
                "if {peer} was restored from a backup too, it reconciles first; then: mandorla audit reconcile --with {peer}"
            ),
        ),
        RoundError::Protocol(_) => (
            ErrorCode::PeerMisbehaved,
            format!("call the auditor of {peer}; keep both data directories"),
        ),
        _ => (ErrorCode::Storage, "mandorla audit verify".to_owned()),
    };
    ApiError::new(code, format!("{peer}: {error}")).hint(hint)
}

/// Asks one thing.
async fn ask(stream: &mut ControlStream, message: &Message) -> Result<Message, ControlError> {
    stream.send(message).await?;
    stream.receive(crate::control_stream::REPLY_TIMEOUT).await
}

fn unexpected(got: &Message, expected: &'static str) -> RoundError {
    mandorla_protocol::PeerFault::Unexpected {
        got: got.name(),
        expected,
    }
    .into()
}

#[cfg(test)]
mod tests;
