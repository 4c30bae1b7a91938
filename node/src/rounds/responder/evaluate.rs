//! The evaluation of the own match keys by the requester: blinded chunks out, verified values into run files.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mandorla_protocol::responder::{
    BlindedChunk, Blinding, BlindingRecord, Evaluated, VerifiedChunk,
};
use mandorla_protocol::{
    ChunkDigests, ChunkHeader, Digest, EndReason, Fact, Message, PeerFault, Refusal,
    SignatureBytes, Terms,
};
use mandorla_store::{StoreError, WriteTx};
use mandorla_transport::Connection;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{damaged, end_if_culprit};
use crate::control_stream::ControlStream;
use crate::events::Event;
use crate::node::Node;
use crate::records::round::{CHUNKS, ChunkRecord, Digest32, RoundRecord, RoundState};
use crate::rounds::error::RoundError;
use crate::rounds::files::write_prf;
use crate::rounds::index::OwnIndex;
use crate::rounds::update::{note, update};
use crate::rounds::{clean_up, os_rng, pair, ruled_of, seeds, signer_of};

/// A chunk takes the requester well under a second of one core; it may have others to do first.
const CHUNK_TIMEOUT: Duration = Duration::from_mins(2);
/// Chunks under way beyond those being computed, so that the line never waits.
const CHUNKS_AHEAD: usize = 2;
/// The requester derives its own match keys before it acknowledges.
const DERIVE_MAX: Duration = Duration::from_hours(24);

type Shared = Arc<Mutex<Blinding>>;

/// Goes on with the evaluation of a round after a broken line or a restart.
pub(super) async fn run(
    node: &Arc<Node>,
    connection: &Connection,
    stream: &mut ControlStream,
    record: &RoundRecord,
) -> Result<(), RoundError> {
    // Chunks of the connection before come to rest before their state is read.
    drop(node.rounds.take_over(&record.id));
    super::question::must_go_on(ruled_of(node, record)?.state)?;
    let blinding = restore(node, record)?;
    let agreement = ruled_of(node, record)?.agreement;
    let (inner, of_round) = (Arc::clone(node), record.clone());
    let index = node
        .workers
        .run(move || OwnIndex::of_round(&inner, &of_round, &agreement))
        .await??;
    go_on(node, connection, stream, record, blinding, &Arc::new(index)).await
}

/// Repeats that the evaluation is complete.
pub(super) async fn say_again(
    node: &Node,
    stream: &mut ControlStream,
    record: &RoundRecord,
) -> Result<(), RoundError> {
    let evaluated: Evaluated = record.machine().ok_or_else(damaged)?;
    let own = signer_of(node, &evaluated.terms().offer().responder)?;
    Ok(stream.send(&evaluated.message(&own.signer)).await?)
}

fn restore(node: &Node, record: &RoundRecord) -> Result<Blinding, RoundError> {
    let terms = record.terms().ok_or_else(damaged)?;
    let seeds = seeds::read(&node.store.runs_dir(), &record.id, terms)?;
    let seeds: BlindingRecord = seeds.ok_or_else(damaged)?;
    let range = (record.id.as_str(), 0)..=(record.id.as_str(), u64::MAX);
    let mut sent = Vec::new();
    let mut verified = Vec::new();
    for (_, chunk) in node.store.read()?.scan(CHUNKS, range)? {
        let header = ChunkHeader {
            key_type: chunk.key_type,
            chunk: chunk.chunk,
            rows: chunk.rows,
        };
        let inputs: Digest = chunk.inputs.parse().map_err(|_| damaged())?;
        sent.push((header, inputs));
        if let Some(outputs) = chunk.outputs {
            let outputs = outputs.parse().map_err(|_| damaged())?;
            verified.push((header, ChunkDigests { inputs, outputs }));
        }
    }
    Ok(Blinding::restore(seeds, sent, verified)?)
}

/// Sends every chunk that is not verified yet, and then the root. A newer connection of the same round takes
/// over: the one before may hang on a dead line.
pub(super) async fn go_on(
    node: &Arc<Node>,
    connection: &Connection,
    stream: &mut ControlStream,
    record: &RoundRecord,
    blinding: Blinding,
    index: &Arc<OwnIndex>,
) -> Result<(), RoundError> {
    let taken_over = node.rounds.take_over(&record.id);
    let outcome = tokio::select! {
        outcome = send_chunks(node, connection, record, blinding, index) => outcome,
        _ = taken_over => Err(RoundError::Line("a newer connection took over".to_owned())),
    };
    let blinding = match outcome {
        Ok(blinding) => blinding,
        Err(error) => {
            end_if_culprit(node, record, &error);
            return Err(error);
        }
    };
    let seed = Zeroizing::new(*blinding.record().blind_seed());
    let terms = record.terms().ok_or_else(damaged)?;
    let own = signer_of(node, &terms.offer().responder)?;
    let (evaluated, message) = blinding.finish(&own.signer)?;
    complete(node, record, &seed, &evaluated)?;
    stream.send(&message).await?;
    match stream.receive(DERIVE_MAX).await? {
        Message::EvaluatedAck { signature } => {
            let record = crate::rounds::update::find(node, &record.id)?.ok_or_else(damaged)?;
            acknowledged(node, &record, &signature)
        }
        other => Err(PeerFault::Unexpected {
            got: other.name(),
            expected: "EvaluatedAck",
        }
        .into()),
    }
}

/// Ends the evaluation: the seed of the blinds is sealed to the auditor, or dropped where there is none, in the
/// transaction that records the end, and its file is erased after it (by the next start if the node dies in between).
fn complete(
    node: &Node,
    record: &RoundRecord,
    seed: &[u8; 32],
    evaluated: &Evaluated,
) -> Result<(), RoundError> {
    let root = evaluated.evaluation_root();
    let sealed = node.config.auditor_key.as_ref().map(|key| {
        let round_id = evaluated.terms().round_id();
        (key, key.seal(seed, round_id, root, &mut os_rng()))
    });
    let event = node
        .event(Event::RoundEvaluated)
        .detail("evaluation_root", root.to_string());
    let event = match &sealed {
        Some((key, _)) => event.detail("blinding_seed_sealed_to", key.to_string()),
        None => event.detail("blinding_seed", "dropped: node.toml names no auditor_key"),
    };
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::Evaluating],
        event,
        |tx, record| {
            record.state = RoundState::AwaitingApproval;
            record.set_machine(evaluated);
            record.evaluation_root = Some(Digest32(root));
            record.sealed_seed = sealed.map(|(_, sealed)| sealed);
            "the requester's authoriser has to approve the question".clone_into(&mut record.detail);
            Ok(forget_chunks(tx, record)?)
        },
    )?;
    Ok(seeds::erase(&node.store.runs_dir(), &record.id)?)
}

/// What was sent serves only an audit that can open the seed.
pub(super) fn forget_chunks(tx: &WriteTx<'_>, record: &RoundRecord) -> Result<(), StoreError> {
    if record.sealed_seed.is_some() {
        return Ok(());
    }
    let range = (record.id.as_str(), 0)..=(record.id.as_str(), u64::MAX);
    for ((_, number), _) in tx.scan(CHUNKS, range)? {
        tx.remove(CHUNKS, (record.id.as_str(), number))?;
    }
    Ok(())
}

async fn send_chunks(
    node: &Arc<Node>,
    connection: &Connection,
    record: &RoundRecord,
    blinding: Blinding,
    index: &Arc<OwnIndex>,
) -> Result<Blinding, RoundError> {
    let open = blinding.open_chunks();
    let shared: Shared = Arc::new(Mutex::new(blinding));
    let ahead = node.workers.threads() + CHUNKS_AHEAD;
    let mut jobs: JoinSet<Result<(), RoundError>> = JoinSet::new();
    for header in open {
        while jobs.len() >= ahead {
            join_one(&mut jobs).await?;
        }
        let (node, connection) = (Arc::clone(node), connection.clone());
        let (shared, index) = (Arc::clone(&shared), Arc::clone(index));
        let id = record.id.clone();
        jobs.spawn(
            async move { one_chunk(&node, &connection, &id, &shared, &index, header).await },
        );
    }
    while !jobs.is_empty() {
        join_one(&mut jobs).await?;
    }
    let blinding = Arc::into_inner(shared)
        .ok_or_else(|| RoundError::Storage("chunk work is still under way".to_owned()))?;
    Ok(blinding
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner))
}

async fn join_one(jobs: &mut JoinSet<Result<(), RoundError>>) -> Result<(), RoundError> {
    match jobs.join_next().await {
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) => Err(RoundError::Storage(error.to_string())),
        None => Ok(()),
    }
}

/// Blinds a chunk, makes its digest durable, sends it, verifies what comes back, makes the values durable.
async fn one_chunk(
    node: &Arc<Node>,
    connection: &Connection,
    id: &str,
    shared: &Shared,
    index: &Arc<OwnIndex>,
    header: ChunkHeader,
) -> Result<(), RoundError> {
    let kernel = node.kernel;
    let job = lock(shared).blind_job(header);
    let rows = Arc::clone(index);
    let chunk = node
        .workers
        .run(move || {
            let keys = rows.of_type(header.key_type).keys(header.row_range());
            job.run(kernel, &keys)
        })
        .await?;
    lock(shared).sending(&chunk)?;
    remember(node, id, header, chunk.inputs_digest(), None)?;

    let reply = exchange(connection, &chunk).await?;
    let rows = Arc::clone(index);
    let verified = node
        .workers
        .run(move || {
            let keys = rows.of_type(header.key_type).keys(header.row_range());
            chunk.verify_and_unblind(kernel, &keys, &reply)
        })
        .await??;
    keep(node, id, &verified)?;
    lock(shared).chunk_verified(&verified);
    Ok(())
}

async fn exchange(connection: &Connection, chunk: &BlindedChunk) -> Result<Vec<u8>, RoundError> {
    let line = |error: &dyn std::fmt::Display| RoundError::Line(error.to_string());
    let (mut send, mut receive) = connection.open_bi().await?;
    send.write_all(&chunk.to_bytes())
        .await
        .map_err(|error| line(&error))?;
    send.finish().map_err(|error| line(&error))?;
    let read = timeout(CHUNK_TIMEOUT, receive.read_to_end(chunk.reply_bytes())).await;
    // A reply that is too long fails here as a broken line; one that is too short fails in verification.
    read.map_err(|_| line(&"a chunk's evaluation did not come in time"))?
        .map_err(|error| line(&error))
}

fn keep(node: &Node, id: &str, verified: &VerifiedChunk) -> Result<(), RoundError> {
    let digests = verified.digests();
    write_prf(
        &node.store.runs_dir(),
        id,
        verified.header(),
        verified.values(),
    )?;
    remember(
        node,
        id,
        verified.header(),
        digests.inputs,
        Some(digests.outputs),
    )
}

fn remember(
    node: &Node,
    id: &str,
    header: ChunkHeader,
    inputs: Digest,
    outputs: Option<Digest>,
) -> Result<(), RoundError> {
    let number = u64::from(header.key_type) << 32 | u64::from(header.chunk);
    let chunk = ChunkRecord {
        key_type: header.key_type,
        chunk: header.chunk,
        rows: header.rows,
        inputs: inputs.to_string(),
        outputs: outputs.map(|outputs| outputs.to_string()),
    };
    note(node, id, |tx, record| {
        record.chunks_done += u64::from(outputs.is_some());
        tx.put(CHUNKS, (id, number), &chunk)
    })?;
    Ok(())
}

/// The requester has the same root and no keys any more.
pub(super) fn acknowledged(
    node: &Node,
    record: &RoundRecord,
    signature: &SignatureBytes,
) -> Result<(), RoundError> {
    match record.state {
        RoundState::AwaitingApproval => {}
        // It comes again with a question whose acknowledgement was lost; the question has proven it already.
        RoundState::Questioned | RoundState::Matched => return Ok(()),
        _ => return Err(RoundError::Refused(Refusal::UnknownRound)),
    }
    let evaluated: Evaluated = record.machine().ok_or_else(damaged)?;
    evaluated.handle_ack(signature)?;
    let root = evaluated.evaluation_root();
    note(node, &record.id, |tx, record| {
        log_evaluation(tx, record, evaluated.terms(), root)
    })?;
    Ok(())
}

/// The evaluation becomes a fact of the pair log with the requester's word, in whatever message it comes.
pub(super) fn log_evaluation(
    tx: &WriteTx<'_>,
    record: &mut RoundRecord,
    terms: &Terms,
    root: Digest,
) -> Result<(), StoreError> {
    if record.evaluation_logged {
        return Ok(());
    }
    record.evaluation_logged = true;
    pair::add_fact(tx, record, terms, &Fact::Evaluation(root))
}

/// The requester says that no question comes.
pub(super) fn withdrawn(
    node: &Node,
    record: &RoundRecord,
    reason: u8,
    signature: &SignatureBytes,
) -> Result<(), RoundError> {
    if record.state == RoundState::Ended {
        return Ok(());
    }
    if record.state != RoundState::AwaitingApproval {
        return Err(RoundError::Refused(Refusal::TooLate));
    }
    let evaluated: Evaluated = record.machine().ok_or_else(damaged)?;
    let reason = evaluated.handle_withdraw(reason, signature)?;
    let words = match reason {
        EndReason::Declined => "the requester's authoriser declined to ask",
        EndReason::Lapsed => "the requester's authoriser did not decide in time",
        EndReason::Cancelled => "the requester's analyst cancelled the round",
    };
    let root = evaluated.evaluation_root();
    finish(node, record, Event::RoundWithdrawn, words, |tx, record| {
        log_evaluation(tx, record, evaluated.terms(), root)?;
        pair::add_fact(tx, record, evaluated.terms(), &Fact::Ended(reason))
    })
}

/// The round ends on this side; everything of it that is secret goes.
pub(super) fn end(node: &Node, record: &RoundRecord, why: &str) -> Result<(), RoundError> {
    finish(node, record, Event::RoundEnded, why, |_, _| Ok(()))
}

fn finish(
    node: &Node,
    record: &RoundRecord,
    event: Event,
    why: &str,
    also: impl FnOnce(&WriteTx<'_>, &mut RoundRecord) -> Result<(), StoreError>,
) -> Result<(), RoundError> {
    let event = node.event(event).detail("why", why);
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::Evaluating, RoundState::AwaitingApproval],
        event,
        |tx, record| {
            record.state = RoundState::Ended;
            record.machine = None;
            why.clone_into(&mut record.detail);
            forget_chunks(tx, record)?;
            Ok(also(tx, record)?)
        },
    )?;
    clean_up(node, &record.id)
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, Blinding> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
