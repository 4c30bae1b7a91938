//! Fetching answers at their slots: stored and receipted unopened, then opened; and the close.

use std::sync::Arc;

use mandorla_linkage::{Field, grade};
use mandorla_protocol::requester::{AwaitingAnswers, ReceiptedAnswer};
use mandorla_protocol::{
    Digest, Fact, Message, OpenedItem, PeerFault, Quarantine, Receipt, Refusal, Terms,
    answer_bytes, encode, receipt_digest,
};
use mandorla_store::LedgerEvent;
use mandorla_transport::Connection;
use tokio::time::sleep;

use super::evaluate::resume;
use super::{connect, count_bytes, damaged};
use crate::control_stream::{ControlError, ControlStream, REPLY_TIMEOUT};
use crate::datasets::subject;
use crate::events::Event;
use crate::node::Node;
use crate::peers;
use crate::records::hit::{RELEASED, ReleasedRecord};
use crate::records::round::{ANSWERS, AnswerRecord, Digest32, RoundRecord, RoundState};
use crate::rounds::commitment::{LedgerCommitment, commit_to_ledger};
use crate::rounds::error::RoundError;
use crate::rounds::files::HitKeyFile;
use crate::rounds::rules::Ruled;
use crate::rounds::update::update;
use crate::rounds::{clean_up, hit_id, pair, ruled_of, signer_of};

/// Why an item is set aside: a code for the ledger, and words for people here.
type SetAside = (&'static str, String);

/// How long after the close an answer that cannot be opened is tried again.
const GIVE_UP_S: u64 = 86_400;

/// One step: deliver a receipt that is owed, open an answer whose receipt is delivered, wait for the next slot and
/// fetch its answer, or wait for the close.
pub(super) async fn next(node: &Arc<Node>, record: &RoundRecord) -> Result<(), RoundError> {
    let awaiting: AwaitingAnswers = record.machine().ok_or_else(damaged)?;
    let now = node.clock.now_s();
    if now > awaiting.closes_at() + GIVE_UP_S {
        return close(node, record, &awaiting);
    }
    if let Some((slot, answer)) = unopened(node, record)? {
        let window = u64::from(awaiting.terms().offer().fetch_window_s);
        let deliverable = now <= awaiting.slot_time(slot) + window;
        if answer.delivered || !deliverable {
            return open(node, record, awaiting, slot, &answer);
        }
        let connection = connect(node, record).await?;
        let outcome = deliver_again(node, record, &awaiting, slot, &answer, &connection).await;
        count_bytes(node, &record.id, &connection);
        return outcome;
    }
    let Some(slot) = awaiting.next_slot(now) else {
        sleep(node.clock.until_s(awaiting.closes_at() + 1)).await;
        return close(node, record, &awaiting);
    };
    // One second after the slot, so that a clock a little ahead does not ask too early.
    sleep(node.clock.until_s(awaiting.slot_time(slot) + 1)).await;
    let connection = connect(node, record).await?;
    let outcome = fetch(node, record, awaiting, slot, &connection).await;
    count_bytes(node, &record.id, &connection);
    outcome
}

/// An answer that is stored and still closed.
fn unopened(node: &Node, record: &RoundRecord) -> Result<Option<(u8, AnswerRecord)>, RoundError> {
    let range = (record.id.as_str(), 0)..=(record.id.as_str(), u64::MAX);
    let answers = node.store.read()?.scan(ANSWERS, range)?;
    let found = answers.into_iter().find(|(_, answer)| !answer.opened);
    Ok(found.map(|((_, slot), answer)| (u8::try_from(slot).unwrap_or(u8::MAX), answer)))
}

async fn fetch(
    node: &Arc<Node>,
    record: &RoundRecord,
    mut awaiting: AwaitingAnswers,
    slot: u8,
    connection: &Connection,
) -> Result<(), RoundError> {
    let terms = awaiting.terms().clone();
    let mut stream = resume(node, connection, &terms).await?;
    stream.send(&Message::Fetch { slot }).await?;
    let expected = answer_bytes(&terms);
    match stream.receive(REPLY_TIMEOUT).await.map_err(fetch_error)? {
        Message::Answer { bytes } if bytes == expected as u64 => {}
        Message::Answer { bytes } => {
            return Err(PeerFault::Length {
                what: "an answer",
                expected: expected as u64,
                got: bytes,
            }
            .into());
        }
        other => {
            return Err(PeerFault::Unexpected {
                got: other.name(),
                expected: "Answer",
            }
            .into());
        }
    }
    let bytes = stream.receive_raw(expected, REPLY_TIMEOUT).await?;
    let sealed = awaiting.handle_answer(slot, bytes.clone())?;
    let digest = sealed.digest();
    let commitment = commit_to_ledger(node)?;
    let own = signer_of(node, &terms.offer().requester)?;
    let (receipt, _) = sealed.receipt(&terms, commitment.digest, &own.signer);
    store_answer(
        node,
        record,
        &awaiting,
        &receipt,
        bytes,
        digest,
        &commitment,
    )?;
    deliver(node, record, &terms, receipt, &mut stream).await
}

/// Whose clock is right about a slot is not settled by ending the round: the own clock says when to give up.
fn fetch_error(error: ControlError) -> RoundError {
    match error {
        ControlError::Refused(refusal @ (Refusal::TooLate | Refusal::NotYet)) => {
            RoundError::Line(format!("the peer's clock says: {refusal}"))
        }
        other => other.into(),
    }
}

async fn deliver_again(
    node: &Node,
    record: &RoundRecord,
    awaiting: &AwaitingAnswers,
    slot: u8,
    answer: &AnswerRecord,
    connection: &Connection,
) -> Result<(), RoundError> {
    let mut stream = resume(node, connection, awaiting.terms()).await?;
    let (receipt, _) = receipted(node, awaiting.clone(), slot, answer)?;
    deliver(node, record, awaiting.terms(), receipt, &mut stream).await
}

/// Sends a receipt until it is acknowledged; only then may the answer be opened.
async fn deliver(
    node: &Node,
    record: &RoundRecord,
    terms: &Terms,
    receipt: Receipt,
    stream: &mut ControlStream,
) -> Result<(), RoundError> {
    let slot = receipt.slot;
    stream.send(&receipt.clone().into()).await?;
    let acknowledged = match stream.receive(REPLY_TIMEOUT).await {
        Ok(Message::ReceiptAck { slot: acknowledged }) if acknowledged == slot => true,
        Ok(other) => {
            return Err(PeerFault::Unexpected {
                got: other.name(),
                expected: "ReceiptAck",
            }
            .into());
        }
        // The peer has closed the round: the receipt can no longer be given, and the answer is ours all the same.
        Err(ControlError::Refused(Refusal::TooLate)) => false,
        Err(error) => return Err(error.into()),
    };
    let event = node
        .event(if acknowledged {
            Event::ReceiptAcknowledged
        } else {
            Event::ReceiptTooLate
        })
        .detail("slot", slot)
        .detail("receipt_digest", receipt_digest(&receipt).to_string());
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::AwaitingAnswers],
        event,
        |tx, record| {
            let key = (record.id.as_str(), u64::from(slot));
            let mut answer = tx.find(ANSWERS, key)?.ok_or_else(damaged)?;
            answer.delivered = true;
            tx.put(ANSWERS, key, &answer)?;
            if acknowledged {
                pair::add_fact(tx, record, terms, &Fact::Receipt(receipt))?;
            }
            Ok(())
        },
    )?;
    if acknowledged {
        pair::settle(node, stream, record, terms).await;
        stream.send(&Message::Done).await?;
    }
    Ok(())
}

/// The stored answer again, with the receipt that was signed for it.
fn receipted(
    node: &Node,
    mut awaiting: AwaitingAnswers,
    slot: u8,
    answer: &AnswerRecord,
) -> Result<(Receipt, ReceiptedAnswer), RoundError> {
    let bytes = hex::decode(&answer.bytes).map_err(|_| damaged())?;
    let sealed = awaiting.handle_answer(slot, bytes)?;
    let own = signer_of(node, &awaiting.terms().offer().requester)?;
    Ok(sealed.receipt(awaiting.terms(), answer.ledger_commitment.0, &own.signer))
}

/// The answer is durable, unopened, with its receipt.
fn store_answer(
    node: &Node,
    record: &RoundRecord,
    awaiting: &AwaitingAnswers,
    receipt: &Receipt,
    bytes: Vec<u8>,
    digest: Digest,
    commitment: &LedgerCommitment,
) -> Result<(), RoundError> {
    let slot = receipt.slot;
    let event = node
        .event(Event::AnswerReceived)
        .detail("slot", slot)
        .detail("answer_digest", digest.to_string());
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::AwaitingAnswers],
        event,
        |tx, record| {
            let answer = AnswerRecord {
                bytes: hex::encode(bytes),
                digest: Digest32(digest),
                ledger_commitment: Digest32(commitment.digest),
                ledger_salt: hex::encode(commitment.salt),
                ledger_size: Some(commitment.size),
                served_at: None,
                receipt: Some(hex::encode(encode(receipt))),
                delivered: false,
                opened: false,
                at: node.clock.now_s(),
            };
            tx.put(ANSWERS, (record.id.as_str(), u64::from(slot)), &answer)?;
            record.set_machine(awaiting);
            let fact = Fact::Answer { slot, digest };
            Ok(pair::add_fact(tx, record, awaiting.terms(), &fact)?)
        },
    )?;
    Ok(())
}

/// Opens an answer: what verifies becomes hits, what does not is set aside with the reason.
fn open(
    node: &Node,
    record: &RoundRecord,
    awaiting: AwaitingAnswers,
    slot: u8,
    answer: &AnswerRecord,
) -> Result<(), RoundError> {
    let terms = awaiting.terms().clone();
    let (_, receipted) = receipted(node, awaiting, slot, answer)?;
    let ruled = ruled_of(node, record)?;
    let release_key = peers::release_key_of(node, &record.peer, &terms.offer().responder)?;
    let keys = HitKeyFile::open(&node.store.runs_dir(), &record.id)?;
    let rules = ruled.agreement.linkage_rules();
    let now = node.clock.now_s();
    let mut hits = Vec::new();
    let mut aside: Vec<SetAside> = Vec::new();
    for outcome in receipted.open(&terms, &release_key, &keys) {
        match outcome {
            Ok(item) => match accept_item(node, record, &ruled, &keys, &item, &hits)? {
                Ok((own_subject, own_reference)) => {
                    let OpenedItem {
                        item_id,
                        proven_types,
                        package,
                        ..
                    } = item;
                    let conflicting = package.conflicting_types;
                    let grade = grade(rules, proven_types, proven_types | conflicting, u32::MAX);
                    hits.push(ReleasedRecord {
                        id: hit_id(item_id),
                        round: record.id.clone(),
                        own_subject,
                        own_reference,
                        proven_types,
                        conflicting_types: conflicting,
                        grade: grade
                            .map_or("below the threshold", |grade| grade.name())
                            .to_owned(),
                        fields: package.fields,
                        handling: package.handling,
                        at: now,
                    });
                }
                Err(why) => aside.push(why),
            },
            Err((place, quarantine)) => {
                aside.push((code_of(quarantine), format!("place {place}: {quarantine}")));
            }
        }
    }
    // A file that cannot be read is this node's trouble, not the peer's: the answer stays closed until it can.
    if let Some(error) = keys.take_error() {
        return Err(error.into());
    }
    // The codes alone: what the peer sent may hold any words.
    let codes: Vec<&str> = aside.iter().map(|(code, _)| *code).collect();
    let event = node
        .event(Event::AnswerOpened)
        .detail("slot", slot)
        .detail("released", hits.len())
        .detail("set_aside", codes);
    let received: Vec<LedgerEvent> = hits
        .iter()
        .map(|hit| item_received(node, record, &ruled, slot, hit))
        .collect();
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::AwaitingAnswers],
        event,
        |tx, record| {
            for hit in &hits {
                tx.put(RELEASED, hit.id.as_str(), hit)?;
            }
            for event in received {
                tx.append_ledger(event)?;
            }
            let opened = AnswerRecord {
                opened: true,
                ..answer.clone()
            };
            tx.put(ANSWERS, (record.id.as_str(), u64::from(slot)), &opened)?;
            record.detail = if aside.is_empty() {
                "answer received".to_owned()
            } else {
                format!(
                    "{} items of the answer were set aside: {}",
                    aside.len(),
                    aside
                        .iter()
                        .map(|(_, words)| words.as_str())
                        .collect::<Vec<_>>()
                        .join("; ")
                )
            };
            Ok(())
        },
    )?;
    Ok(())
}

/// The own subject of an item; or why the item is set aside although its proofs hold: the peer chooses its id and
/// its fields.
fn accept_item(
    node: &Node,
    record: &RoundRecord,
    ruled: &Ruled,
    keys: &HitKeyFile,
    item: &OpenedItem,
    before: &[ReleasedRecord],
) -> Result<Result<(u64, String), SetAside>, RoundError> {
    let id = hit_id(item.item_id);
    if before.iter().any(|hit| hit.id == id)
        || node.store.read()?.find(RELEASED, id.as_str())?.is_some()
    {
        return Ok(Err((
            "released-before",
            format!("item {id} was released before"),
        )));
    }
    let direction = ruled
        .agreement
        .direction(&ruled.requester, &ruled.responder);
    let disclosure = direction
        .map_err(|error| RoundError::NotAllowed(error.to_string()))?
        .disclosure();
    let named: Vec<&str> = item
        .package
        .fields
        .iter()
        .map(|(field, _)| field.as_str())
        .collect();
    let agreed = |name: &&str| {
        name.parse::<Field>().is_ok_and(|field| {
            disclosure.fields_on_match.contains(&field)
                && !disclosure.forbidden_fields.contains(&field)
        })
    };
    if let Some(other) = named.iter().find(|name| !agreed(name)) {
        return Ok(Err((
            "field-not-agreed",
            format!("item {id} holds a field that the agreement does not disclose: {other:?}"),
        )));
    }
    let rules = ruled.agreement.linkage_rules();
    let stated = item.proven_types | item.package.conflicting_types;
    let complete = rules.rules_in(stated).all(|rule| {
        let mut fields = rule.fields.iter();
        fields.all(|field| named.contains(&field.to_string().as_str()))
    });
    if !complete {
        return Ok(Err((
            "match-key-without-fields",
            format!("item {id} names a match key without its fields"),
        )));
    }
    let Some(index) = keys.subject(item.subject_number) else {
        return Ok(Err((
            "subject-not-asked-about",
            format!("item {id} names a subject that was not asked about"),
        )));
    };
    let subject = subject(node, record.generation, index.into())?.ok_or_else(damaged)?;
    Ok(Ok((index.into(), subject.reference)))
}

fn code_of(quarantine: Quarantine) -> &'static str {
    match quarantine {
        Quarantine::Malformed => "malformed",
        Quarantine::Signature => "signature",
        Quarantine::Proof(_) => "proof",
        Quarantine::Package => "package",
    }
}

/// What the ledger says of an item that a peer released to us: whose it is by pseudonym, which fields by name.
fn item_received(
    node: &Node,
    record: &RoundRecord,
    ruled: &Ruled,
    slot: u8,
    hit: &ReleasedRecord,
) -> LedgerEvent {
    let rules = ruled.agreement.linkage_rules();
    let proven = rules.rules_in(hit.proven_types);
    let keys: Vec<String> = proven.map(|rule| rule.id.clone()).collect();
    let fields: Vec<String> = hit.fields.iter().map(|(field, _)| field.clone()).collect();
    let agreed_code = &ruled.agreement.terms().handling.default_code;
    node.event(Event::ItemReceived)
        .agreement(record.agreement_ref())
        .round(record.id.clone())
        .detail("peer", record.peer.clone())
        .detail("slot", slot)
        .detail("hit", hit.id.clone())
        .detail(
            "subject",
            node.pseudonyms.of(&record.dataset, &hit.own_reference),
        )
        .detail("match_keys", keys)
        .detail("grade", hit.grade.clone())
        .detail("fields", fields)
        // The peer chooses the text: only that it is the agreed one is said.
        .detail("handling_as_agreed", hit.handling == *agreed_code)
        .detail("handling", agreed_code.clone())
        .detail(
            "retention_days",
            ruled.agreement.terms().retention.disclosed_days,
        )
}

/// The round is over by its terms: hit keys and numbers are erased.
fn close(node: &Node, record: &RoundRecord, awaiting: &AwaitingAnswers) -> Result<(), RoundError> {
    let at = awaiting.closes_at();
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::AwaitingAnswers],
        node.event(Event::RoundClosed),
        |tx, record| {
            record.state = RoundState::Closed;
            record.machine = None;
            "closed by its terms".clone_into(&mut record.detail);
            Ok(pair::add_fact(
                tx,
                record,
                awaiting.terms(),
                &Fact::Close { at },
            )?)
        },
    )?;
    clean_up(node, &record.id)
}
