//! The side that is asked: it serves the two logs with this peer, and nothing else.

use mandorla_protocol::merkle::leaf_hash;
use mandorla_protocol::{
    Digest, FACTS_MAX, FactState, Message, PAIR_HASHES_MAX, PAIR_LEAVES_MAX, PairSide, PeerFault,
    PendingFact, Refusal,
};
use mandorla_store::ReadTx;

use crate::node::Node;
use crate::records::pair::{PAIR_LEAVES, PAIR_LOGS, PAIR_PENDING, PairLogRecord};
use crate::records::peer::PeerRecord;
use crate::records::round::{ROUNDS, ROUNDS_BY_WIRE, Side};
use crate::rounds::error::RoundError;
use crate::rounds::pair::{log_name, order_of, tree_of, unhex};

/// Answers one question about a log with this peer.
pub(crate) fn answer(
    node: &Node,
    peer: &PeerRecord,
    message: &Message,
) -> Result<Message, RoundError> {
    let (Message::PairState { log }
    | Message::PairHashes { log, .. }
    | Message::PairLeaves { log, .. }
    | Message::PairPending { log, .. }) = message
    else {
        return Err(super::unexpected(message, "a question about a pair log"));
    };
    let side = match PairSide::from_byte(*log) {
        Some(PairSide::OpenerAsks) => Side::Responder,
        Some(PairSide::OpenerIsAsked) => Side::Requester,
        None => return Err(PeerFault::PairLog("there are two logs, 0 and 1").into()),
    };
    let name = log_name(&peer.code, side);
    let tx = node.store.read()?;
    let record = tx.find(PAIR_LOGS, name.as_str())?.unwrap_or_default();
    let size = tree_of(&record)?.size();
    match message {
        Message::PairHashes { first, count, .. } => {
            let leaves = leaves(&tx, &name, size, *first, *count, PAIR_HASHES_MAX)?;
            let hashes = leaves.iter().map(|leaf| Digest(leaf_hash(leaf)));
            Ok(Message::PairHashesAre {
                hashes: hashes.collect(),
            })
        }
        Message::PairLeaves { first, count, .. } => Ok(Message::PairLeavesAre {
            leaves: leaves(&tx, &name, size, *first, *count, PAIR_LEAVES_MAX)?,
        }),
        Message::PairPending { facts, .. } => {
            if facts.is_empty() || facts.len() > FACTS_MAX {
                return Err(PeerFault::PairLog("a list has 1 to 256 facts").into());
            }
            let in_log = InLog::read(&tx, &name)?;
            let states = facts
                .iter()
                .map(|fact| state_of(&tx, peer, &name, side, &in_log, fact));
            Ok(Message::PairKnown {
                states: states.collect::<Result<_, _>>()?,
            })
        }
        _ => Ok(state(record, size)),
    }
}

fn state(record: PairLogRecord, size: u64) -> Message {
    let in_flight = record.in_flight.map_or(0, |offer| offer.facts.len());
    Message::PairStateIs {
        size,
        offered: size + in_flight as u64,
        checkpoint: record.note.unwrap_or_default(),
    }
}

/// Leaves of a range that lies in the log, of at most so many.
fn leaves(
    tx: &ReadTx,
    name: &str,
    size: u64,
    first: u64,
    count: u16,
    most: u16,
) -> Result<Vec<Vec<u8>>, RoundError> {
    let end = first.checked_add(count.into());
    let (Some(end), 1..) = (end.filter(|end| *end <= size && count <= most), count) else {
        return Err(RoundError::Refused(Refusal::UnknownRound));
    };
    let rows = tx.scan(PAIR_LEAVES, (name, first)..=(name, end - 1))?;
    if rows.len() != usize::from(count) {
        return Err(super::pair::damaged());
    }
    rows.iter().map(|(_, leaf)| unhex(leaf)).collect()
}

/// Leaf hashes of the copy.
struct InLog(std::collections::BTreeSet<[u8; 32]>);

impl InLog {
    fn read(tx: &ReadTx, name: &str) -> Result<Self, RoundError> {
        let rows = tx.scan(PAIR_LEAVES, (name, 0)..=(name, u64::MAX))?;
        let hashes = rows.iter().map(|(_, leaf)| Ok(leaf_hash(&unhex(leaf)?)));
        Ok(Self(hashes.collect::<Result<_, RoundError>>()?))
    }
}

fn state_of(
    tx: &ReadTx,
    peer: &PeerRecord,
    name: &str,
    side: Side,
    in_log: &InLog,
    fact: &PendingFact,
) -> Result<FactState, RoundError> {
    if in_log.0.contains(&fact.leaf.0) {
        return Ok(FactState::InLog);
    }
    let wire = fact.name.round_id.to_string();
    let order = order_of(fact.name.kind, fact.name.index);
    if let Some(leaf) = tx.find(PAIR_PENDING, (name, wire.as_str(), order))? {
        return Ok(if leaf_hash(&unhex(&leaf)?) == fact.leaf.0 {
            FactState::Same
        } else {
            FactState::Other
        });
    }
    // Of a round with somebody else this peer learns as little as of one that never was.
    let round = match tx.find(ROUNDS_BY_WIRE, wire.as_str())? {
        Some(id) => tx.find(ROUNDS, id.as_str())?,
        None => None,
    };
    let round = round.filter(|round| round.peer == peer.code && round.side == side);
    Ok(match round {
        Some(round) if !round.state.is_over() => FactState::NotYet,
        _ => FactState::Unknown,
    })
}
