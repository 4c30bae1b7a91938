//! The answer slots: frozen at their cut-offs, served at their times, whatever was decided; and the close.

use std::sync::Arc;
use std::time::Duration;

use mandorla_protocol::responder::{Questioned, SlotState};
use mandorla_protocol::{
    Answer, CLOCK_SKEW_MAX_S, Fact, Message, PeerFault, Receipt, Refusal, ReleasedItem, encode,
    receipt_digest,
};
use mandorla_store::{LedgerEvent, StoreError, WriteTx};
use tokio::time::sleep;

use super::{damaged, evaluate};
use crate::control_stream::ControlStream;
use crate::events::Event;
use crate::node::Node;
use crate::records::disclosure::DISCLOSURES;
use crate::records::hit::{DecisionRecord, HIT_ROUNDS, HITS};
use crate::records::round::{ANSWERS, AnswerRecord, Digest32, RoundRecord, RoundState};
use crate::review::disclosed::earlier;
use crate::rounds::commitment::commit_to_ledger;
use crate::rounds::error::RoundError;
use crate::rounds::update::{find, update, update_saying};
use crate::rounds::{clean_up, pair, signer_of};

/// The store may be full or busy for a while; a slot is not missed by a second.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Waits for what time brings to a round: the lapse of a question that does not come, the cut-offs, the close.
pub(crate) async fn drive(node: Arc<Node>, id: String) {
    let mut stopping = node.stopping.subscribe();
    loop {
        let record = match find(&node, &id) {
            Ok(Some(record)) => record,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(round = %id, %error, "a round cannot be read and will be tried again");
                sleep(TRY_AGAIN).await;
                continue;
            }
        };
        if record.state.is_over() {
            return;
        }
        let woken = node.rounds.notify_of(&id);
        let Some(next) = next_time(&node, &record) else {
            return;
        };
        tokio::select! {
            () = sleep(node.clock.until_s(next)) => {
                if let Err(error) = at(&node, &id) {
                    tracing::error!(round = %id, %error, "a slot's work failed and will be tried again");
                    sleep(TRY_AGAIN).await;
                }
            }
            () = woken.notified() => {}
            _ = stopping.changed() => return,
        }
    }
}

/// When something is due.
fn next_time(node: &Node, record: &RoundRecord) -> Option<u64> {
    match record.state {
        RoundState::Evaluating | RoundState::AwaitingApproval => Some(lapse_time(record)?),
        RoundState::Questioned | RoundState::Matched => {
            let questioned: Questioned = record.machine()?;
            let slots = 0..questioned.terms().slots();
            let cutoffs = slots.filter(|&slot| !is_frozen(node, record, slot));
            let cutoffs = cutoffs.map(|slot| questioned.cutoff(slot));
            Some(cutoffs.chain([questioned.closes_at() + 1]).min()?)
        }
        _ => None,
    }
}

/// The question may come until its deadline; clocks may differ, and a withdrawal takes some time.
fn lapse_time(record: &RoundRecord) -> Option<u64> {
    Some(record.terms()?.question_deadline() + 2 * CLOCK_SKEW_MAX_S)
}

fn is_frozen(node: &Node, record: &RoundRecord, slot: u8) -> bool {
    let found = node
        .store
        .read()
        .and_then(|tx| tx.find(ANSWERS, (record.id.as_str(), u64::from(slot))));
    matches!(found, Ok(Some(_)))
}

fn at(node: &Arc<Node>, id: &str) -> Result<(), RoundError> {
    let record = find(node, id)?.ok_or_else(damaged)?;
    let now = node.clock.now_s();
    match record.state {
        RoundState::Evaluating | RoundState::AwaitingApproval => {
            if lapse_time(&record).is_some_and(|lapse| now >= lapse) {
                evaluate::end(node, &record, "no question came in time")?;
            }
            Ok(())
        }
        RoundState::Questioned | RoundState::Matched => {
            let questioned: Questioned = record.machine().ok_or_else(damaged)?;
            for slot in 0..questioned.terms().slots() {
                if questioned.slot_state(slot, now) != SlotState::Open
                    && !is_frozen(node, &record, slot)
                {
                    freeze(node, &record, &questioned, slot)?;
                }
            }
            if now > questioned.closes_at() {
                close(node, &record, &questioned)
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    }
}

/// Freezes a slot's answer from the decisions that were durable at its cut-off, also if that is computed later.
fn freeze(
    node: &Node,
    record: &RoundRecord,
    questioned: &Questioned,
    slot: u8,
) -> Result<(), RoundError> {
    let cutoff = questioned.cutoff(slot);
    let commitment = commit_to_ledger(node)?;
    let from = [RoundState::Questioned, RoundState::Matched];
    let frozen = update_saying::<RoundError>(node, &record.id, &from, |tx, record| {
        // What was frozen stays: a peer may have it already.
        if tx
            .find(ANSWERS, (record.id.as_str(), u64::from(slot)))?
            .is_some()
        {
            return Err(RoundError::Void);
        }
        let range = (record.id.as_str(), "")..=(record.id.as_str(), "~");
        let mut items = Vec::new();
        let mut leaving = Vec::new();
        let last = slot + 1 == questioned.terms().slots();
        for ((_, id), mut hit) in tx.scan(HITS, range)? {
            if let Some(decision) = &hit.decision {
                if decision.slot == Some(slot) && decision.at < cutoff {
                    items.push(released_item(slot, decision)?);
                    leaving.push((hit.id.clone(), hit.own_reference.clone()));
                }
            } else if last {
                hit.decision = Some(expired(node.clock.now_s()));
                tx.put(HITS, (record.id.as_str(), id.as_str()), &hit)?;
            }
        }
        let own = signer_of(node, &questioned.terms().offer().responder)?;
        let answer = questioned.freeze(slot, &items, &commitment.digest, &own.signer)?;
        let stored = AnswerRecord {
            bytes: hex::encode(answer.bytes()),
            digest: Digest32(answer.digest()),
            ledger_commitment: Digest32(commitment.digest),
            ledger_salt: hex::encode(commitment.salt),
            ledger_size: Some(commitment.size),
            served_at: None,
            receipt: None,
            delivered: false,
            opened: false,
            at: node.clock.now_s(),
        };
        tx.put(ANSWERS, (record.id.as_str(), u64::from(slot)), &stored)?;
        let fact = Fact::Answer {
            slot,
            digest: answer.digest(),
        };
        pair::add_fact(tx, record, questioned.terms(), &fact)?;
        let digest = answer.digest().to_string();
        for (hit, reference) in &leaving {
            let subject = node.pseudonyms.of(&record.dataset, reference);
            let disclosed = item_disclosed(node, tx, record, slot, hit, &subject)?;
            tx.append_ledger(disclosed.detail("answer_digest", digest.clone()))?;
        }
        Ok(node
            .event(Event::AnswerFrozen)
            .detail("slot", slot)
            .detail("items", leaving.len())
            .detail("answer_digest", digest)
            .detail("asked_at", questioned.t0())
            .detail(
                "due_at",
                questioned.terms().slot_time(questioned.t0(), slot),
            ))
    });
    match frozen {
        Ok(_) | Err(RoundError::Void) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The ledger's line for one item of a frozen answer: from here on it leaves.
fn item_disclosed(
    node: &Node,
    tx: &WriteTx<'_>,
    record: &RoundRecord,
    slot: u8,
    hit: &str,
    subject: &str,
) -> Result<LedgerEvent, RoundError> {
    let key = (subject, hit);
    let mut disclosure = tx.find(DISCLOSURES, key)?.ok_or_else(damaged)?;
    disclosure.frozen_in = Some(slot);
    tx.put(DISCLOSURES, key, &disclosure)?;
    let earlier = earlier(tx, subject, hit)?;
    let mut event = node
        .event(Event::ItemDisclosed)
        .agreement(record.agreement_ref())
        .round(record.id.clone());
    event.detail.extend(disclosure.detail);
    Ok(event.detail("earlier_disclosures", earlier))
}

fn released_item(slot: u8, decision: &DecisionRecord) -> Result<ReleasedItem, RoundError> {
    let place = decision
        .place
        .as_deref()
        .and_then(|place| hex::decode(place).ok());
    place
        .and_then(|place| ReleasedItem::from_durable(slot, place))
        .ok_or_else(damaged)
}

/// Undecided at the last cut-off is refused.
fn expired(now: u64) -> DecisionRecord {
    DecisionRecord {
        kind: "refused".to_owned(),
        by: "the agreement".to_owned(),
        reason: "not decided in time".to_owned(),
        at: now,
        fields: Vec::new(),
        slot: None,
        place: None,
    }
}

/// Serves a slot's answer: the same bytes however often it is asked.
pub(super) async fn serve_answer(
    node: &Arc<Node>,
    stream: &mut ControlStream,
    record: &RoundRecord,
    slot: u8,
) -> Result<(), RoundError> {
    if !matches!(record.state, RoundState::Questioned | RoundState::Matched) {
        return Err(RoundError::Refused(Refusal::TooLate));
    }
    let questioned: Questioned = record.machine().ok_or_else(damaged)?;
    questioned
        .check_fetch(slot, node.clock.now_s())
        .map_err(RoundError::Refused)?;
    if !is_frozen(node, record, slot) {
        freeze(node, record, &questioned, slot)?;
    }
    let answer = stored(node, record, &questioned, slot)?;
    note_served(node, record, &questioned, slot, &answer)?;
    stream
        .send(&Message::Answer {
            bytes: answer.bytes().len() as u64,
        })
        .await?;
    Ok(stream.send_raw(answer.bytes()).await?)
}

/// The first time that an answer is asked for is recorded before its first byte leaves.
fn note_served(
    node: &Node,
    record: &RoundRecord,
    questioned: &Questioned,
    slot: u8,
    answer: &Answer,
) -> Result<(), RoundError> {
    let now = node.clock.now_s();
    let event = node
        .event(Event::AnswerServed)
        .detail("peer", record.peer.clone())
        .detail("slot", slot)
        .detail("answer_digest", answer.digest().to_string())
        .detail("asked_at", questioned.t0())
        .detail("sent_at", now);
    let from = [RoundState::Questioned, RoundState::Matched];
    let noted = update::<RoundError>(node, &record.id, &from, event, |tx, record| {
        let key = (record.id.as_str(), u64::from(slot));
        let mut stored = tx.find(ANSWERS, key)?.ok_or_else(damaged)?;
        if stored.served_at.is_some() {
            return Err(RoundError::Void);
        }
        stored.served_at = Some(now);
        Ok(tx.put(ANSWERS, key, &stored)?)
    });
    match noted {
        Ok(_) | Err(RoundError::Void) => Ok(()),
        Err(error) => Err(error),
    }
}

fn stored(
    node: &Node,
    record: &RoundRecord,
    questioned: &Questioned,
    slot: u8,
) -> Result<Answer, RoundError> {
    let stored = node
        .store
        .read()?
        .find(ANSWERS, (record.id.as_str(), u64::from(slot)))?;
    let bytes = stored
        .and_then(|answer| hex::decode(&answer.bytes).ok())
        .ok_or_else(damaged)?;
    Answer::from_durable(questioned.terms(), slot, bytes).map_err(|_| damaged())
}

/// Keeps the requester's receipt.
pub(super) async fn take_receipt(
    node: &Arc<Node>,
    stream: &mut ControlStream,
    record: &RoundRecord,
    receipt: &Receipt,
) -> Result<(), RoundError> {
    let questioned: Questioned = record
        .machine()
        .ok_or(RoundError::Refused(Refusal::TooLate))?;
    if receipt.slot >= questioned.terms().slots() || !is_frozen(node, record, receipt.slot) {
        return Err(RoundError::Refused(Refusal::NotYet));
    }
    let answer = stored(node, record, &questioned, receipt.slot)?;
    questioned.handle_receipt(receipt, &answer)?;
    let event = node
        .event(Event::ReceiptReceived)
        .by(record.peer.clone(), "peer")
        .detail("slot", receipt.slot)
        .detail("answer_digest", receipt.answer_digest.to_string())
        .detail("receipt", hex::encode(encode(receipt)))
        .detail("receipt_digest", receipt_digest(receipt).to_string())
        .detail("asked_at", questioned.t0())
        .detail("acknowledged_at", node.clock.now_s());
    update_saying::<RoundError>(
        node,
        &record.id,
        &[RoundState::Questioned, RoundState::Matched],
        |tx, record| {
            let key = (record.id.as_str(), u64::from(receipt.slot));
            let mut answer = tx.find(ANSWERS, key)?.ok_or_else(damaged)?;
            let given = hex::encode(encode(receipt));
            let event = event.detail("sent_at", answer.served_at);
            match &answer.receipt {
                Some(known) if *known == given => return Ok(event.detail("again", true)),
                Some(_) => return Err(PeerFault::Answer(receipt.slot).into()),
                None => answer.receipt = Some(given),
            }
            tx.put(ANSWERS, key, &answer)?;
            let fact = Fact::Receipt(receipt.clone());
            pair::add_fact(tx, record, questioned.terms(), &fact)?;
            Ok(event)
        },
    )?;
    Ok(stream
        .send(&Message::ReceiptAck { slot: receipt.slot })
        .await?)
}

/// The round is over by its terms: hit keys go, and with them the means to prove a hit. Of what was not released
/// nothing stays but ledger entries without a name; of what was released, that and why.
fn close(node: &Node, record: &RoundRecord, questioned: &Questioned) -> Result<(), RoundError> {
    let at = questioned.closes_at();
    update::<RoundError>(
        node,
        &record.id,
        &[RoundState::Questioned, RoundState::Matched],
        node.event(Event::RoundClosed),
        |tx, record| {
            record.state = RoundState::Closed;
            record.machine = None;
            "closed by its terms".clone_into(&mut record.detail);
            forget_hits(tx, record)?;
            Ok(pair::add_fact(
                tx,
                record,
                questioned.terms(),
                &Fact::Close { at },
            )?)
        },
    )?;
    clean_up(node, &record.id)
}

/// Of what was not released nothing stays, of what was released no hit key.
pub(super) fn forget_hits(tx: &WriteTx<'_>, record: &RoundRecord) -> Result<(), StoreError> {
    let range = (record.id.as_str(), "")..=(record.id.as_str(), "~");
    for ((_, id), mut hit) in tx.scan(HITS, range)? {
        let key = (record.id.as_str(), id.as_str());
        match &mut hit.decision {
            Some(decision) if decision.slot.is_some() => {
                decision.place = None;
                hit.agreed.clear();
                tx.put(HITS, key, &hit)?;
            }
            _ => {
                tx.remove(HITS, key)?;
                tx.remove(HIT_ROUNDS, id.as_str())?;
            }
        }
    }
    Ok(())
}
