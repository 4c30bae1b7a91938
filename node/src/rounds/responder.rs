//! The responder: what a peer's connection may ask, and the task that answers at the slots.
//!
//! ```text
//!  Offer ─► evaluating ─► awaiting-approval ─ Seek ─► questioned ─ match ─► matched ─ decisions, slots ─► closed
//!               │                 └─ Withdraw, lapse ─► ended
//!               └─ Resume on a new connection goes on from the last verified chunk
//! ```
//! After the acknowledgement of a question, nothing that the peer sees depends on what the match finds: no byte,
//! no size, no time, no error.

mod evaluate;
mod matching;
mod offer;
mod question;
mod slots;

use std::sync::Arc;

use mandorla_protocol::{
    EXPORTER_LABEL, LocalFault, Message, PeerFault, ProtocolError, Refusal, Role, RoundId,
    SignatureBytes, bind, verify_binding,
};
use mandorla_transport::{CloseCode, Connection};

use crate::control_stream::{ControlError, ControlStream, REPLY_TIMEOUT};
use crate::node::Node;
use crate::peers;
use crate::records::peer::PeerRecord;
use crate::records::round::{ROUNDS_BY_WIRE, RoundRecord, RoundState, Side};
use crate::rounds::error::RoundError;
use crate::rounds::update::{find, note};
use crate::rounds::{pair, reconcile, signer_of};

pub(crate) use slots::drive;

/// The round is over for this connection; the peer reads what was sent and comes back at the slot.
const CLOSE_DONE: CloseCode = CloseCode::DONE;
const CLOSE_VIOLATION: CloseCode = CloseCode(CloseCode::FIRST_FREE.0);

/// Serves one connection of a peer to its end.
pub(crate) async fn serve(node: Arc<Node>, connection: Connection) {
    let found =
        peers::code_of(&node, &connection.peer()).and_then(|code| peers::find(&node, &code).ok());
    let Some(peer) = found else {
        return connection.close(CloseCode::REFUSED, "");
    };
    node.register_connection(&connection);
    let mut round = None;
    let outcome = converse(&node, &connection, &peer, &mut round).await;
    let code = match outcome {
        Ok(()) | Err(RoundError::Served) => CLOSE_DONE,
        Err(error) => {
            tracing::info!(peer = %peer.code, round = round.as_deref().unwrap_or("-"), %error, "connection ended");
            if matches!(error, RoundError::Protocol(_)) {
                CLOSE_VIOLATION
            } else {
                CLOSE_DONE
            }
        }
    };
    if let Some(id) = &round {
        let traffic = connection.stats();
        let _ = note(&node, id, |_, record| {
            record.wire_sent += traffic.udp_tx_bytes;
            record.wire_received += traffic.udp_rx_bytes;
            Ok(())
        });
    }
    connection.close(code, "");
}

/// Takes messages until the peer is done. `round` names the round once it is known.
async fn converse(
    node: &Arc<Node>,
    connection: &Connection,
    peer: &PeerRecord,
    round: &mut Option<String>,
) -> Result<(), RoundError> {
    let mut stream = ControlStream::accept(connection).await?;
    loop {
        let message = match stream.receive(REPLY_TIMEOUT).await {
            Ok(message) => message,
            Err(ControlError::Line(_)) => return Ok(()),
            Err(error) => return Err(answer_error(&mut stream, error.into()).await),
        };
        let outcome = match message {
            Message::Done => {
                stream.finish().await;
                return Ok(());
            }
            Message::Ping { nonce } => stream
                .send(&peers::answer_ping(node, nonce))
                .await
                .map_err(RoundError::from),
            Message::Offer(offer) => {
                offer::handle(node, connection, peer, &mut stream, offer, round).await
            }
            Message::PairOffer { facts, checkpoint } => {
                match pair::countersign(node, &peer.code, &facts, &checkpoint) {
                    Ok(accept) => stream.send(&accept).await.map_err(RoundError::from),
                    Err(error) => Err(error),
                }
            }
            Message::Succeed(signed) => match peers::accept_succession(node, &peer.code, &signed) {
                Ok(countersignature) => stream
                    .send(&Message::Succeeded { countersignature })
                    .await
                    .map_err(RoundError::from),
                Err(error) => Err(error),
            },
            Message::PairState { .. }
            | Message::PairHashes { .. }
            | Message::PairLeaves { .. }
            | Message::PairPending { .. } => match reconcile::answer(node, peer, &message) {
                Ok(reply) => stream.send(&reply).await.map_err(RoundError::from),
                Err(error) => Err(error),
            },
            Message::Resume { round_id, binding } => {
                resume(
                    node,
                    connection,
                    peer,
                    &mut stream,
                    round_id,
                    &binding,
                    round,
                )
                .await
            }
            other => match round.as_deref() {
                Some(id) => in_round(node, connection, &mut stream, id, other).await,
                None => Err(unexpected(
                    &other,
                    "Ping, Offer, PairOffer, Succeed or Resume",
                )),
            },
        };
        match outcome {
            Ok(()) => {}
            Err(error) => return Err(answer_error(&mut stream, error).await),
        }
    }
}

/// Takes up a known round on this connection.
async fn resume(
    node: &Arc<Node>,
    connection: &Connection,
    peer: &PeerRecord,
    stream: &mut ControlStream,
    round_id: RoundId,
    binding: &SignatureBytes,
    round: &mut Option<String>,
) -> Result<(), RoundError> {
    let unknown = || RoundError::Refused(Refusal::UnknownRound);
    let id = node
        .store
        .read()?
        .find(ROUNDS_BY_WIRE, round_id.to_string().as_str())?
        .ok_or_else(unknown)?;
    let record = find(node, &id)?
        .filter(|record| record.peer == peer.code && record.side == Side::Responder)
        .ok_or_else(unknown)?;
    let terms = record.terms().ok_or_else(unknown)?;
    let exporter = exporter(connection, round_id)?;
    verify_binding(
        &terms.offer().requester,
        Role::Requester,
        round_id,
        &exporter,
        binding,
    )?;
    let own = signer_of(node, &terms.offer().responder)?;
    let binding = bind(&own.signer, Role::Responder, round_id, &exporter);
    stream.send(&Message::Resumed { binding }).await?;
    *round = Some(id);
    match record.state {
        RoundState::Evaluating => evaluate::run(node, connection, stream, &record).await,
        // The acknowledgement of the evaluation has not come, or was lost.
        RoundState::AwaitingApproval if !record.evaluation_logged => {
            evaluate::say_again(node, stream, &record).await
        }
        _ => Ok(()),
    }
}

/// A message that belongs to the round of this connection.
async fn in_round(
    node: &Arc<Node>,
    connection: &Connection,
    stream: &mut ControlStream,
    id: &str,
    message: Message,
) -> Result<(), RoundError> {
    let record = find(node, id)?.ok_or(RoundError::Refused(Refusal::UnknownRound))?;
    match message {
        Message::EvaluatedAck { signature } => evaluate::acknowledged(node, &record, &signature),
        Message::Seek { .. } => question::handle(node, connection, stream, &record, &message).await,
        Message::Withdraw { reason, signature } => {
            evaluate::withdrawn(node, &record, reason, &signature)?;
            Ok(stream.send(&Message::WithdrawAck).await?)
        }
        Message::Fetch { slot } => slots::serve_answer(node, stream, &record, slot).await,
        Message::Receipt(receipt) => slots::take_receipt(node, stream, &record, &receipt).await,
        other => Err(unexpected(&other, "a message of this round")),
    }
}

fn unexpected(message: &Message, expected: &'static str) -> RoundError {
    PeerFault::Unexpected {
        got: message.name(),
        expected,
    }
    .into()
}

/// Tells the peer, as far as it may know, why it goes no further.
async fn answer_error(stream: &mut ControlStream, error: RoundError) -> RoundError {
    let refusal = match &error {
        RoundError::Refused(refusal) => Some(*refusal),
        RoundError::Protocol(ProtocolError::Peer(fault)) => Some(fault.refusal()),
        RoundError::Protocol(ProtocolError::Local(LocalFault::Lapsed)) => Some(Refusal::TooLate),
        RoundError::Protocol(_)
        | RoundError::Storage(_)
        | RoundError::NotAllowed(_)
        | RoundError::NotAdmitted(_) => Some(Refusal::Internal),
        RoundError::Line(_)
        | RoundError::Quiet
        | RoundError::Void
        | RoundError::Served
        | RoundError::Stopping => None,
    };
    if let Some(refusal) = refusal {
        stream.refuse(refusal).await;
    }
    error
}

pub(super) fn exporter(connection: &Connection, round: RoundId) -> Result<[u8; 32], RoundError> {
    connection
        .exporter(EXPORTER_LABEL, round.as_ref())
        .map_err(|error| RoundError::Line(error.to_string()))
}

pub(super) fn damaged() -> RoundError {
    RoundError::Storage("the round's record cannot be read".to_owned())
}

/// The protocol fault in an error, if the peer is the culprit.
pub(super) fn culprit(error: &RoundError) -> Option<PeerFault> {
    match error {
        RoundError::Protocol(ProtocolError::Peer(fault)) => Some(*fault),
        _ => None,
    }
}

/// A round that broke the protocol is over on this side too.
pub(super) fn end_if_culprit(node: &Node, record: &RoundRecord, error: &RoundError) {
    let over =
        culprit(error).is_some() || matches!(error, RoundError::Protocol(ProtocolError::Local(_)));
    if over && let Err(failed) = evaluate::end(node, record, &error.told()) {
        tracing::error!(round = %record.id, error = %failed, "a round could not be ended");
    }
}

/// Forgets chunks and undecided hits of a round that ends, and the hit keys of the others.
pub(crate) fn forget(
    tx: &mandorla_store::WriteTx<'_>,
    record: &RoundRecord,
) -> Result<(), mandorla_store::StoreError> {
    evaluate::forget_chunks(tx, record)?;
    slots::forget_hits(tx, record)
}

/// Matches a question that a restart interrupted.
pub(crate) async fn rematch(node: Arc<Node>, id: String) {
    matching::run(&node, &id).await;
}
