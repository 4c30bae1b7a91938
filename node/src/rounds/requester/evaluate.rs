//! Terms and evaluation: the peer sends blinded chunks, this node evaluates them; then its own match keys.
//!
//! The keys live in this function's memory only. A broken line is resumed with them; a restart begins anew.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mandorla_agreement::{Evaluations, SetSize};
use mandorla_protocol::requester::{Evaluating, Offered, RequesterInput};
use mandorla_protocol::{
    CHUNK_HEADER_BYTES, ChunkHeader, Digest, EXPORTER_LABEL, Fact, Message, PeerFault, Refusal,
    Role, Terms, bind, elements_digest, encode, verify_binding,
};
use mandorla_transport::{Connection, RecvStream, SendStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::derive::derive_question;
use super::{RETRY_FIRST, RETRY_MAX, connect, count_bytes, damaged};
use crate::control_stream::{ControlError, ControlStream, REPLY_TIMEOUT};
use crate::events::Event;
use crate::justification::justified;
use crate::node::Node;
use crate::records::dataset::{DATASETS, DatasetRecord};
use crate::records::quota;
use crate::records::round::{ROUNDS_BY_WIRE, RoundRecord, RoundState, Side};
use crate::rounds::error::RoundError;
use crate::rounds::index::OwnIndex;
use crate::rounds::rules::{Facts, Ruled, counters, fields, own_set, peer_set, with_excluded};
use crate::rounds::update::{note, update};
use crate::rounds::{os_rng, pair, ruled_of, signer_of};

/// A responder that says nothing for so long is gone.
const SILENCE_MAX: Duration = Duration::from_mins(2);
/// The responder derives all its match keys before it accepts.
const ACCEPT_MAX: Duration = Duration::from_mins(10);
/// No evaluation takes longer: 10^9 match keys at the slowest kernel level are a day.
const EVALUATION_MAX: Duration = Duration::from_hours(24);

pub(super) async fn run(node: &Arc<Node>, record: &RoundRecord) -> Result<(), RoundError> {
    let ruled = ruled_of(node, record)?;
    let dataset = node.store.read()?.find(DATASETS, record.dataset.as_str())?;
    let dataset = dataset
        .filter(|dataset| dataset.generation == record.generation)
        .ok_or_else(|| RoundError::NotAllowed(format!("dataset {} is gone", record.dataset)))?;
    let index = {
        let (node, agreement) = (Arc::clone(node), ruled.agreement.clone());
        let of_round = record.clone();
        node.clone()
            .workers
            .run(move || OwnIndex::of_round(&node, &of_round, &agreement))
            .await??
    };
    let index = Arc::new(index);

    let connection = connect(node, record).await?;
    let outcome = negotiate(node, record, &ruled, &dataset, &index, &connection).await;
    let (machine, stream) = match outcome {
        Ok(agreed) => agreed,
        Err(error) => {
            count_bytes(node, &record.id, &connection);
            return Err(error);
        }
    };
    evaluate_and_derive(node, record, machine, &index, connection, stream).await
}

/// Offer, accept, quota, confirm.
async fn negotiate(
    node: &Arc<Node>,
    record: &RoundRecord,
    ruled: &Ruled,
    dataset: &DatasetRecord,
    index: &OwnIndex,
    connection: &Connection,
) -> Result<(Evaluating, ControlStream), RoundError> {
    let input = RequesterInput {
        rules: ruled
            .terms_rules(node, Some(&connection.peer()))
            .map_err(|error| RoundError::NotAllowed(error.to_string()))?,
        case_reference: record.case_reference.clone().unwrap_or_default(),
        requester_dataset: record.dataset.clone(),
        responder_dataset: record.peer_dataset.clone(),
        dataset_digest: dataset.digest.parse::<Digest>().map_err(|_| damaged())?,
        subjects: index.subjects(),
        cells: index.incidences(),
    };
    let mut stream = ControlStream::open(connection).await?;
    let (offered, message) = Offered::new(input, &mut os_rng(), node.clock.now_s())?;
    stream.send(&message).await?;
    let (offer, signature, binding) = match stream
        .receive(ACCEPT_MAX)
        .await
        .map_err(|error| offer_error(error, record))?
    {
        Message::Accept {
            offer,
            signature,
            binding,
        } => (offer, signature, binding),
        other => {
            return Err(PeerFault::Unexpected {
                got: other.name(),
                expected: "Accept",
            }
            .into());
        }
    };
    let accepted = offered.handle_accept(offer, &signature, node.clock.now_s())?;
    let terms = accepted.terms().clone();
    charge(node, record, ruled, (dataset, index), &terms)?;
    let exporter = exporter(connection, &terms)?;
    let own = node.identity.current();
    let (machine, message) = accepted.confirm(&binding, &exporter, &own.signer, &mut os_rng())?;
    stream.send(&message).await?;
    Ok((machine, stream))
}

/// An evaluation that is begun anew after a restart meets the limits on new rounds: it waits until they allow it.
fn offer_error(error: ControlError, record: &RoundRecord) -> RoundError {
    match error {
        ControlError::Refused(refusal @ Refusal::Quota) if record.attempts > 0 => {
            RoundError::Line(format!("waiting for the peer's limits: {refusal}"))
        }
        other => other.into(),
    }
}

/// Admits the round with everything that is known now and charges the peer's evaluations, in one transaction,
/// before the confirmation leaves.
fn charge(
    node: &Node,
    record: &RoundRecord,
    ruled: &Ruled,
    (dataset, index): (&DatasetRecord, &OwnIndex),
    terms: &Terms,
) -> Result<(), RoundError> {
    let now = node.clock.now_s();
    let direction = ruled
        .agreement
        .direction(&ruled.requester, &ruled.responder)
        .map_err(|error| RoundError::NotAllowed(error.to_string()))?;
    let counters = counters(
        node,
        Side::Requester,
        &record.agreement,
        &record.peer,
        Some(&record.id),
    )?;
    let own_fields = fields(dataset);
    let event = node
        .event(Event::RoundTerms)
        .detail("wire_id", terms.round_id().to_string())
        .detail("evaluations", terms.evaluations());
    let event = with_excluded(event, index);
    let case = record.case_reference.as_deref();
    let event = justified(event, &ruled.agreement, node.code(), case);
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::Negotiating, RoundState::Evaluating],
        event,
        |tx, record| {
            let mut evaluations = Vec::new();
            for (rule, key_type) in direction.match_keys().iter().zip(0_u8..) {
                let quota = direction.evaluations(&rule.id);
                let period_s = quota.map_or(0, |quota| quota.period.as_s());
                let used_in_period = quota::used(tx, &record.agreement, &rule.id, period_s, now)?;
                evaluations.push(Evaluations {
                    match_key: &rule.id,
                    padded: terms.rows(key_type),
                    used_in_period,
                });
            }
            let responder = SetSize::Class(terms.responder().subjects_class);
            let facts = Facts {
                purpose: &record.purpose,
                case_reference_given: record.case_reference.is_some(),
                requester: own_set(dataset, index.subjects(), &own_fields),
                responder: peer_set(&record.peer_dataset, responder),
                terms: Some(terms),
                evaluations: &evaluations,
            };
            ruled
                .admit(&node.config.policy, now, &facts, &counters)
                .map_err(|refusal| RoundError::NotAdmitted(Box::new(refusal)))?;
            for evaluation in &evaluations {
                quota::charge(
                    tx,
                    &record.agreement,
                    evaluation.match_key,
                    evaluation.padded,
                    now,
                )?;
            }
            record.attempts += 1;
            record.state = RoundState::Evaluating;
            record.chunks_done = 0;
            record.terms_logged = false;
            record.terms = Some(hex::encode(encode(terms)));
            "the peer's match keys are being evaluated".clone_into(&mut record.detail);
            tx.put(
                ROUNDS_BY_WIRE,
                terms.round_id().to_string().as_str(),
                &record.id,
            )?;
            Ok(())
        },
    )?;
    Ok(())
}

/// Answers chunks, over as many connections as it takes; then derives the own match keys and erases the keys.
async fn evaluate_and_derive(
    node: &Arc<Node>,
    record: &RoundRecord,
    machine: Evaluating,
    index: &Arc<OwnIndex>,
    mut connection: Connection,
    mut stream: ControlStream,
) -> Result<(), RoundError> {
    let deadline = machine.terms().question_deadline();
    let machine = Arc::new(Mutex::new(machine));
    let (mut failures, mut done_before) = (0, 0);
    let (root, signature) = loop {
        let outcome = answer_chunks(node, &record.id, &machine, &connection, &mut stream).await;
        match outcome {
            Ok(done) => break done,
            // The keys are here and the evaluations are paid for: beginning anew would cost the quota once more.
            Err(error) if error.is_passing() && node.clock.now_s() <= deadline => {
                count_bytes(node, &record.id, &connection);
                tracing::info!(round = %record.id, %error, "line lost during the evaluation; resuming");
                let done = lock(&machine).chunks_done();
                if done > done_before {
                    (failures, done_before) = (0, done);
                }
                (connection, stream) = reconnect(node, record, &machine, &mut failures).await?;
            }
            Err(error) => {
                count_bytes(node, &record.id, &connection);
                return Err(error);
            }
        }
    };
    let machine = Arc::into_inner(machine)
        .ok_or_else(|| RoundError::Storage("chunk work is still under way".to_owned()))?
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let deriving = machine.handle_evaluated(root, &signature)?;
    let terms = deriving.terms().clone();
    let (pending, message) = derive_question(node, &record.id, deriving, index).await?;
    let event = node
        .event(Event::RoundEvaluated)
        .detail("evaluation_root", root.to_string());
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::Evaluating],
        event,
        |tx, record| {
            record.state = RoundState::AwaitingApproval;
            record.set_machine(&pending);
            "an authoriser must approve sending the question".clone_into(&mut record.detail);
            Ok(pair::add_fact(tx, record, &terms, &Fact::Evaluation(root))?)
        },
    )?;
    // The question is durable: what follows is courtesy to the peer and can be repeated later.
    let acknowledged = async {
        stream.send(&message).await?;
        pair::settle(node, &mut stream, record, &terms).await;
        stream.send(&Message::Done).await?;
        stream.finish().await;
        Ok::<_, RoundError>(())
    };
    if let Err(error) = acknowledged.await {
        tracing::info!(round = %record.id, %error, "the evaluation's acknowledgement did not get through");
    }
    count_bytes(node, &record.id, &connection);
    Ok(())
}

/// Connects again, ever more slowly, until the question could not come in time any more.
async fn reconnect(
    node: &Arc<Node>,
    record: &RoundRecord,
    machine: &Arc<Mutex<Evaluating>>,
    failures: &mut u32,
) -> Result<(Connection, ControlStream), RoundError> {
    let terms = lock(machine).terms().clone();
    loop {
        let wait = RETRY_FIRST * 2_u32.saturating_pow(*failures);
        tokio::time::sleep(wait.min(RETRY_MAX)).await;
        *failures = failures.saturating_add(1);
        let attempt = async {
            let connection = connect(node, record).await?;
            let stream = resume(node, &connection, &terms).await?;
            Ok::<_, RoundError>((connection, stream))
        };
        match attempt.await {
            Ok(connected) => return Ok(connected),
            Err(RoundError::Refused(Refusal::UnknownRound)) if lock(machine).chunks_done() == 0 => {
                let why = "the peer has not got the confirmation: the terms are made anew";
                return Err(RoundError::Line(why.to_owned()));
            }
            Err(error) if error.is_passing() && node.clock.now_s() <= terms.question_deadline() => {
            }
            Err(error) => return Err(error),
        }
    }
}

/// Opens the control stream for a round that both sides know, and binds it to the connection.
pub(super) async fn resume(
    node: &Node,
    connection: &Connection,
    terms: &Terms,
) -> Result<ControlStream, RoundError> {
    let round_id = terms.round_id();
    let exporter = exporter(connection, terms)?;
    let own = signer_of(node, &terms.offer().requester)?;
    let mut stream = ControlStream::open(connection).await?;
    let binding = bind(&own.signer, Role::Requester, round_id, &exporter);
    stream.send(&Message::Resume { round_id, binding }).await?;
    match stream.receive(REPLY_TIMEOUT).await? {
        Message::Resumed { binding } => {
            verify_binding(
                &terms.offer().responder,
                Role::Responder,
                round_id,
                &exporter,
                &binding,
            )?;
            Ok(stream)
        }
        other => Err(PeerFault::Unexpected {
            got: other.name(),
            expected: "Resumed",
        }
        .into()),
    }
}

fn exporter(connection: &Connection, terms: &Terms) -> Result<[u8; 32], RoundError> {
    let round = terms.round_id();
    connection
        .exporter(EXPORTER_LABEL, round.as_ref())
        .map_err(|error| RoundError::Line(error.to_string()))
}

/// Takes chunks until the responder says that it has verified all.
async fn answer_chunks(
    node: &Arc<Node>,
    id: &str,
    machine: &Arc<Mutex<Evaluating>>,
    connection: &Connection,
    stream: &mut ControlStream,
) -> Result<(Digest, mandorla_protocol::SignatureBytes), RoundError> {
    let mut jobs: JoinSet<Result<(), RoundError>> = JoinSet::new();
    let outcome = {
        // One future for the whole evaluation: a receive that is dropped half-way would lose bytes.
        let mut evaluated = std::pin::pin!(stream.receive(EVALUATION_MAX));
        loop {
            tokio::select! {
                message = &mut evaluated => match message {
                    Ok(Message::Evaluated { root, signature }) => break Ok((root, signature)),
                    Ok(other) => {
                        break Err(PeerFault::Unexpected { got: other.name(), expected: "Evaluated" }.into());
                    }
                    Err(error) => break Err(error.into()),
                },
                streams = connection.accept_bi() => {
                    let (send, receive) = match streams {
                        Ok(streams) => streams,
                        Err(closed) => break Err(closed.into()),
                    };
                    let (node, machine) = (Arc::clone(node), Arc::clone(machine));
                    jobs.spawn(answer_chunk(node, id.to_owned(), machine, send, receive));
                }
                Some(done) = jobs.join_next() => match done {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => break Err(error),
                    Err(error) => break Err(RoundError::Storage(error.to_string())),
                },
                () = tokio::time::sleep(SILENCE_MAX) => {
                    break Err(RoundError::Line("nothing heard from the peer".to_owned()));
                }
            }
        }
    };
    match outcome {
        Ok(done) => {
            while let Some(job) = jobs.join_next().await {
                job.map_err(|error| RoundError::Storage(error.to_string()))??;
            }
            Ok(done)
        }
        Err(error) => {
            jobs.shutdown().await;
            Err(refuse(stream, error).await)
        }
    }
}

/// Tells the culprit before the round ends.
async fn refuse(stream: &mut ControlStream, error: RoundError) -> RoundError {
    if let RoundError::Protocol(mandorla_protocol::ProtocolError::Peer(fault)) = &error {
        stream.refuse(fault.refusal()).await;
    }
    error
}

async fn answer_chunk(
    node: Arc<Node>,
    id: String,
    machine: Arc<Mutex<Evaluating>>,
    send: SendStream,
    mut receive: RecvStream,
) -> Result<(), RoundError> {
    let mut reply_stream = WholeOrReset(Some(send));
    let line = |error: String| RoundError::Line(error);
    let mut header = [0; CHUNK_HEADER_BYTES];
    let read = timeout(SILENCE_MAX, receive.read_exact(&mut header)).await;
    read.map_err(|_| line("a chunk's header did not come".to_owned()))?
        .map_err(|error| line(error.to_string()))?;
    let header = ChunkHeader::from_bytes(&header)?;
    if header.rows > mandorla_protocol::CHUNK_ROWS {
        return Err(PeerFault::UnknownChunk(header).into());
    }
    let mut elements = vec![[0; 32]; header.rows as usize];
    let read = timeout(SILENCE_MAX, receive.read_exact(elements.as_flattened_mut())).await;
    read.map_err(|_| line("a chunk did not come to its end".to_owned()))?
        .map_err(|error| line(error.to_string()))?;

    let job = lock(&machine).handle_chunk(header, elements_digest(&elements), &mut os_rng())?;
    let kernel = node.kernel;
    let reply = node
        .workers
        .run(move || job.run(kernel, &elements))
        .await??;
    reply_stream.write(&reply.to_bytes()).await?;
    let done = {
        let mut machine = lock(&machine);
        machine.chunk_evaluated(&reply);
        machine.chunks_done() as u64
    };
    let terms = lock(&machine).terms().clone();
    note(&node, &id, |tx, record| {
        record.chunks_done = done;
        // The responder sends chunks once it has the confirmation: from now on the terms are a fact of both.
        if !record.terms_logged {
            record.terms_logged = true;
            let evaluations = terms.evaluations();
            pair::add_fact(tx, record, &terms, &Fact::Terms { evaluations })?;
        }
        Ok(())
    })?;
    Ok(())
}

/// A reply leaves whole or not at all: dropped before, its stream is reset, so that a step that was cut off is a
/// broken line to the peer and not a short reply.
struct WholeOrReset(Option<SendStream>);

impl WholeOrReset {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), RoundError> {
        let line = |error: &dyn std::fmt::Display| RoundError::Line(error.to_string());
        let send = self.0.as_mut().ok_or(RoundError::Void)?;
        send.write_all(bytes).await.map_err(|error| line(&error))?;
        send.finish().map_err(|error| line(&error))?;
        self.0 = None;
        Ok(())
    }
}

impl Drop for WholeOrReset {
    fn drop(&mut self) {
        if let Some(mut send) = self.0.take() {
            let _ = send.reset(0_u32.into());
        }
    }
}

fn lock(machine: &Mutex<Evaluating>) -> std::sync::MutexGuard<'_, Evaluating> {
    machine.lock().unwrap_or_else(PoisonError::into_inner)
}
