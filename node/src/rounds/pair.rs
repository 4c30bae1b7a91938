//! The pair log of one direction with one peer: facts wait until the requester offers them, and are in the log
//! once both have signed the checkpoint after them.

mod in_flight;
mod parties;

use std::collections::BTreeSet;

use mandorla_protocol::merkle::Frontier;
use mandorla_protocol::{
    CLOCK_SKEW_MAX_S, FACTS_MAX, Fact, FactName, Message, PairLog, PeerFault, RoundId, Terms,
};
use mandorla_store::{ReadTx, StoreError, WriteTx};

use crate::control_stream::{ControlStream, REPLY_TIMEOUT};
use crate::events::Event;
use crate::node::Node;
use crate::peers;
use crate::records::pair::{OfferRecord, PAIR_LEAVES, PAIR_LOGS, PAIR_PENDING, PairLogRecord};
use crate::records::peer::PEERS;
use crate::records::round::{ROUNDS, ROUNDS_BY_WIRE, RoundRecord, RoundState, Side};
use crate::rounds::error::RoundError;
use crate::rounds::signer_of;

pub(crate) use self::in_flight::{complete_offer, renew_offer};
pub(crate) use self::parties::{Parties, side_of};

/// The log that a round's facts go into.
pub(crate) fn log_name(peer: &str, side: Side) -> String {
    match side {
        Side::Requester => format!("{peer}/asked-by-us"),
        Side::Responder => format!("{peer}/asked-by-them"),
    }
}

/// Notes a fact that both sides now know, in the transaction that makes it one.
pub(crate) fn add_fact(
    tx: &WriteTx<'_>,
    round: &RoundRecord,
    terms: &Terms,
    fact: &Fact,
) -> Result<(), StoreError> {
    let name = fact.name(terms.round_id());
    let log = log_name(&round.peer, round.side);
    let wire = terms.round_id().to_string();
    tx.put(
        PAIR_PENDING,
        (log.as_str(), wire.as_str(), order_of(name.kind, name.index)),
        &hex::encode(fact.leaf(terms)),
    )
}

/// Facts of a round wait in this order, that of the specification's table; [`kind_of`] and [`index_of`] undo it.
pub(crate) fn order_of(kind: u8, index: u8) -> u64 {
    u64::from(kind) << 8 | u64::from(index)
}

/// A log as stored.
pub(crate) fn load(record: &PairLogRecord, parties: Parties) -> Result<PairLog, RoundError> {
    let Parties {
        requester,
        responder,
    } = parties;
    let tree = tree_of(record)?;
    Ok(PairLog::with_tree(requester, responder, tree))
}

/// The tree of a log as stored.
pub(crate) fn tree_of(record: &PairLogRecord) -> Result<Frontier, RoundError> {
    if record.tree.is_empty() {
        return Ok(Frontier::new());
    }
    Frontier::from_bytes(&unhex(&record.tree)?).ok_or_else(damaged)
}

/// Whether a pair log with this peer came from a backup and was not compared with the peer's copy since: until then
/// neither node can tell what was asked and answered, so no round may begin.
pub(crate) fn must_be_reconciled(tx: &ReadTx, peer: &str) -> Result<bool, StoreError> {
    for side in Side::BOTH {
        let record = tx.find(PAIR_LOGS, log_name(peer, side).as_str())?;
        if record.is_some_and(|record| record.restored) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Requester: brings the pair log up to date at the end of an exchange. A line that breaks is taken up by the next
/// exchange; a peer that does not agree is recorded, and does not undo what the round has reached.
pub(crate) async fn settle(
    node: &Node,
    stream: &mut ControlStream,
    round: &RoundRecord,
    terms: &Terms,
) {
    match offer(node, stream, &round.peer, terms).await {
        Ok(()) => {}
        Err(error) if error.is_passing() => {
            tracing::info!(round = %round.id, %error, "the pair log waits for the next exchange");
        }
        Err(error) => {
            tracing::warn!(round = %round.id, %error, "the peer does not countersign the pair log");
            let event = node
                .event(Event::PairLogNotCountersigned)
                .round(round.id.clone())
                .detail("peer", round.peer.clone())
                .detail("why", error.to_string());
            let logged = node
                .store
                .write::<_, StoreError>(|tx| tx.append_ledger(event).map(|_| ()));
            if let Err(error) = logged {
                tracing::error!(%error, "the ledger entry could not be written");
            }
        }
    }
}

/// Offers this round's pending facts and waits for the countersignature. An offer that was sent before and not
/// answered goes first, unchanged.
async fn offer(
    node: &Node,
    stream: &mut ControlStream,
    peer: &str,
    terms: &Terms,
) -> Result<(), RoundError> {
    let name = log_name(peer, Side::Requester);
    let lock = node.rounds.lock_of(&name);
    let _turn = lock.lock().await;
    if read(node, &name)?.restored {
        let why = "the pair log comes from a backup and has not been reconciled";
        return Err(RoundError::NotAllowed(why.to_owned()));
    }
    let parties = Parties::of(terms);
    repeat_offer(node, stream, &name).await?;
    let own = terms.round_id().to_string();
    let known_to_both =
        |tx: &WriteTx<'_>, wire: &str, _| Ok(wire == own || is_long_closed(node, tx, wire)?);
    offer_those(node, stream, &name, parties, known_to_both).await
}

/// Sends an offer that was sent before and not answered once more, unchanged.
pub(crate) async fn repeat_offer(
    node: &Node,
    stream: &mut ControlStream,
    name: &str,
) -> Result<(), RoundError> {
    match read(node, name)?.in_flight {
        Some(in_flight) => exchange(node, stream, name, in_flight).await,
        None => Ok(()),
    }
}

/// Offers the pending facts that both know, as the caller tells of each.
pub(crate) async fn offer_those(
    node: &Node,
    stream: &mut ControlStream,
    name: &str,
    parties: Parties,
    known_to_both: impl Fn(&WriteTx<'_>, &str, u64) -> Result<bool, RoundError>,
) -> Result<(), RoundError> {
    match prepare(node, name, parties, known_to_both)? {
        Some(offer) => exchange(node, stream, name, offer).await,
        None => Ok(()),
    }
}

pub(crate) fn read(node: &Node, name: &str) -> Result<PairLogRecord, StoreError> {
    Ok(node
        .store
        .read()?
        .find(PAIR_LOGS, name)?
        .unwrap_or_default())
}

/// Makes the next offer and remembers it before it leaves.
fn prepare(
    node: &Node,
    name: &str,
    parties: Parties,
    known_to_both: impl Fn(&WriteTx<'_>, &str, u64) -> Result<bool, RoundError>,
) -> Result<Option<OfferRecord>, RoundError> {
    node.store.write_unlogged(|tx| {
        let mut record = tx.find(PAIR_LOGS, name)?.unwrap_or_default();
        // Of two notes of one size that bear the requester's signature the responder could countersign both.
        if record.in_flight.is_some() {
            return Ok(record.in_flight);
        }
        let mut log = load(&record, parties)?;
        let mut facts = Vec::new();
        for ((_, wire, order), leaf) in
            tx.scan(PAIR_PENDING, (name, "", 0)..=(name, "~", u64::MAX))?
        {
            if facts.len() == FACTS_MAX || !known_to_both(tx, &wire, order)? {
                continue;
            }
            log.append(&unhex(&leaf)?);
            facts.push((wire, kind_of(order), index_of(order)));
        }
        if facts.is_empty() {
            return Ok(None);
        }
        let offer = OfferRecord {
            facts,
            note: log.offer_note(&signer_of(node, &parties.requester)?.signer),
        };
        record.in_flight = Some(offer.clone());
        tx.put(PAIR_LOGS, name, &record)?;
        Ok(Some(offer))
    })
}

/// Whether a round closed so long ago that the peer has closed it too, whatever its clock says: then its close is
/// a fact that both know.
fn is_long_closed(node: &Node, tx: &WriteTx<'_>, wire: &str) -> Result<bool, StoreError> {
    let Some(id) = tx.find(ROUNDS_BY_WIRE, wire)? else {
        return Ok(false);
    };
    let round = tx.find(ROUNDS, id.as_str())?;
    let closed = round.filter(|round| round.state == RoundState::Closed);
    let at = closed.and_then(|round| Some(round.terms()?.closes_at(round.t0?)));
    Ok(at.is_some_and(|at| node.clock.now_s() > at + 2 * CLOCK_SKEW_MAX_S))
}

async fn exchange(
    node: &Node,
    stream: &mut ControlStream,
    name: &str,
    offer: OfferRecord,
) -> Result<(), RoundError> {
    let facts = offer
        .facts
        .iter()
        .map(fact_name)
        .collect::<Option<Vec<_>>>();
    let facts =
        facts.ok_or_else(|| RoundError::Storage("the pair log's offer is damaged".to_owned()))?;
    stream
        .send(&Message::PairOffer {
            facts,
            checkpoint: offer.note.clone(),
        })
        .await?;
    let line = match stream.receive(REPLY_TIMEOUT).await? {
        Message::PairAccept { signature_line } => signature_line,
        other => {
            return Err(PeerFault::Unexpected {
                got: other.name(),
                expected: "PairAccept",
            }
            .into());
        }
    };
    node.store.write_unlogged(|tx| {
        let record = tx.find(PAIR_LOGS, name)?.unwrap_or_default();
        // Those of an offer from before a succession are not those of this round.
        let parties = Parties::in_note(&offer.note).ok_or_else(damaged)?;
        let mut log = load(&record, parties)?;
        let leaves = take(tx, name, &offer.facts)?.ok_or_else(damaged)?;
        append(tx, name, &mut log, &leaves)?;
        let note = log.complete_note(&offer.note, &line)?;
        store(tx, name, &log, note, record.restored)
    })
}

/// Responder: appends what the requester lists, if it knows each fact itself, and countersigns.
/// The same offer again gets the same line.
pub(crate) fn countersign(
    node: &Node,
    peer: &str,
    facts: &[FactName],
    note: &str,
) -> Result<Message, RoundError> {
    let name = log_name(peer, Side::Responder);
    let listed: Vec<_> = facts
        .iter()
        .map(|fact| (fact.round_id.to_string(), fact.kind, fact.index))
        .collect();
    node.store.write_unlogged(|tx| {
        let record = tx.find(PAIR_LOGS, name.as_str())?.unwrap_or_default();
        if record.restored {
            let why = "the pair log comes from a backup and has not been reconciled";
            return Err(RoundError::NotAllowed(why.to_owned()));
        }
        // The origin says whose signatures it is for; they must be the peer's and this node's.
        let parties =
            Parties::in_note(note).ok_or(PeerFault::PairLog("the checkpoint names no two keys"))?;
        let known_peer = tx.find(PEERS, peer)?;
        if !known_peer.is_some_and(|record| peers::may_sign(&record, &parties.requester)) {
            return Err(PeerFault::PairLog("the checkpoint is of another requester").into());
        }
        let own = node
            .identity
            .signer_for(&parties.responder)
            .ok_or(PeerFault::PairLog(
                "the checkpoint is for another responder",
            ))?;
        let mut log = load(&record, parties)?;
        let signer = &own.signer;
        let known = record
            .note
            .as_deref()
            .is_some_and(|known| known.starts_with(note));
        if known {
            let signature_line = log.countersign(note, signer)?;
            return Ok(Message::PairAccept { signature_line });
        }
        if facts.is_empty() || facts.len() > FACTS_MAX {
            return Err(PeerFault::PairLog("an offer lists 1 to 256 facts").into());
        }
        let leaves = take(tx, &name, &listed)?
            .ok_or(PeerFault::PairLog("an offered fact is not known here"))?;
        append(tx, &name, &mut log, &leaves)?;
        let signature_line = log.countersign(note, signer)?;
        let complete = log.complete_note(note, &signature_line)?;
        store(tx, &name, &log, complete, record.restored)?;
        Ok(Message::PairAccept { signature_line })
    })
}

/// Takes pending facts out; `None` if one of them is not there.
fn take(
    tx: &WriteTx<'_>,
    name: &str,
    facts: &[(String, u8, u8)],
) -> Result<Option<Vec<Vec<u8>>>, RoundError> {
    let leaves = find_all(tx, name, facts)?;
    if leaves.is_some() {
        for fact in facts {
            tx.remove(PAIR_PENDING, key_of(name, fact))?;
        }
    }
    Ok(leaves)
}

/// The leaves of pending facts; `None` if one of them is not there, or is listed twice.
fn find_all(
    tx: &WriteTx<'_>,
    name: &str,
    facts: &[(String, u8, u8)],
) -> Result<Option<Vec<Vec<u8>>>, RoundError> {
    let distinct: BTreeSet<_> = facts.iter().collect();
    if distinct.len() != facts.len() {
        return Ok(None);
    }
    let mut leaves = Vec::with_capacity(facts.len());
    for fact in facts {
        let Some(leaf) = tx.find(PAIR_PENDING, key_of(name, fact))? else {
            return Ok(None);
        };
        leaves.push(unhex(&leaf)?);
    }
    Ok(Some(leaves))
}

fn key_of<'a>(name: &'a str, (wire, kind, index): &'a (String, u8, u8)) -> (&'a str, &'a str, u64) {
    (name, wire, order_of(*kind, *index))
}

fn append(
    tx: &WriteTx<'_>,
    name: &str,
    log: &mut PairLog,
    leaves: &[Vec<u8>],
) -> Result<(), StoreError> {
    for leaf in leaves {
        tx.put(PAIR_LEAVES, (name, log.tree().size()), &hex::encode(leaf))?;
        log.append(leaf);
    }
    Ok(())
}

fn store(
    tx: &WriteTx<'_>,
    name: &str,
    log: &PairLog,
    note: String,
    restored: bool,
) -> Result<(), RoundError> {
    let record = PairLogRecord {
        restored,
        tree: hex::encode(log.tree().to_bytes()),
        note: Some(note),
        in_flight: None,
    };
    Ok(tx.put(PAIR_LOGS, name, &record)?)
}

/// Both logs with a peer wait until they have been reconciled, also those that have nothing in them here: the peer
/// may know of facts.
pub(crate) fn mark_restored(tx: &WriteTx<'_>, peer: &str) -> Result<(), StoreError> {
    for side in Side::BOTH {
        mark(tx, &log_name(peer, side))?;
    }
    Ok(())
}

/// Every log that there is waits until it has been reconciled.
pub(crate) fn mark_all_restored(tx: &WriteTx<'_>) -> Result<(), StoreError> {
    let logs = tx.scan_all(PAIR_LOGS)?;
    logs.iter().try_for_each(|(name, _)| mark(tx, name))
}

fn mark(tx: &WriteTx<'_>, name: &str) -> Result<(), StoreError> {
    let mut record = tx.find(PAIR_LOGS, name)?.unwrap_or_default();
    record.restored = true;
    tx.put(PAIR_LOGS, name, &record)
}

/// Takes over facts that the peer's copy has and this one lacks, under a note that the caller has verified for exactly
/// the log with them. They are no longer pending, and the copy is no longer that of a backup.
pub(crate) fn adopt(
    tx: &WriteTx<'_>,
    name: &str,
    mut log: PairLog,
    leaves: &[Vec<u8>],
    note: String,
) -> Result<(), RoundError> {
    append(tx, name, &mut log, leaves)?;
    forget_pending(tx, name, |leaf| leaves.iter().any(|known| known == leaf))?;
    store(tx, name, &log, note, false)
}

/// Removes pending facts with these leaves.
pub(crate) fn forget_pending(
    tx: &WriteTx<'_>,
    name: &str,
    is_known: impl Fn(&[u8]) -> bool,
) -> Result<(), RoundError> {
    for ((_, wire, order), leaf) in pending(tx, name)? {
        if is_known(&unhex(&leaf)?) {
            tx.remove(PAIR_PENDING, (name, wire.as_str(), order))?;
        }
    }
    Ok(())
}

type PendingRow = ((String, String, u64), String);

/// Facts that are not in the log yet, in the order of rounds and of the specification's table.
pub(crate) fn pending(tx: &WriteTx<'_>, name: &str) -> Result<Vec<PendingRow>, StoreError> {
    tx.scan(PAIR_PENDING, (name, "", 0)..=(name, "~", u64::MAX))
}

pub(crate) fn damaged() -> RoundError {
    RoundError::Storage("the pair log is damaged".to_owned())
}

pub(crate) fn unhex(text: &str) -> Result<Vec<u8>, RoundError> {
    hex::decode(text).map_err(|_| damaged())
}

pub(crate) fn fact_name((wire, kind, index): &(String, u8, u8)) -> Option<FactName> {
    let round_id: RoundId = wire.parse().ok()?;
    Some(FactName {
        kind: *kind,
        index: *index,
        round_id,
    })
}

pub(crate) fn kind_of(order: u64) -> u8 {
    u8::try_from(order >> 8).unwrap_or(0)
}

pub(crate) fn index_of(order: u64) -> u8 {
    (order & 0xff) as u8
}
