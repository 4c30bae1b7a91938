//! Facts that wait: what both know goes into the log, what the peer will never know is dropped, with an entry.

use mandorla_protocol::merkle::leaf_hash;
use mandorla_protocol::{
    Digest, FACTS_MAX, FactName, FactState, Message, PeerFault, PendingFact, kind_word,
};
use mandorla_store::WriteTx;

use super::{Log, ask, unexpected};
use crate::control_stream::ControlStream;
use crate::events::Event;
use crate::node::Node;
use crate::records::pair::PAIR_PENDING;
use crate::records::round::{ROUNDS, ROUNDS_BY_WIRE, Side};
use crate::rounds::error::RoundError;
use crate::rounds::pair::{self, fact_name, index_of, kind_of, unhex};

/// What became of the facts that waited.
#[derive(Default)]
pub(super) struct Settled {
    /// Some are in the log now.
    pub offered: bool,
    /// These never will be.
    pub dropped: Vec<Dropped>,
}

/// A pending fact that the peer does not know and will not.
pub(super) struct Dropped {
    wire: String,
    order: u64,
}

impl Dropped {
    /// `answer 0 of round …`.
    pub(super) fn words(&self) -> String {
        format!("{} of round {}", self.fact(), self.wire)
    }

    fn fact(&self) -> String {
        fact_words(kind_of(self.order), index_of(self.order))
    }

    pub(super) fn drop_in(
        &self,
        node: &Node,
        tx: &WriteTx<'_>,
        peer: &str,
        log: &Log,
    ) -> Result<(), RoundError> {
        tx.remove(
            PAIR_PENDING,
            (log.name.as_str(), self.wire.as_str(), self.order),
        )?;
        let event = node
            .event(Event::PairLogDropped)
            .detail("peer", peer)
            .detail("direction", log.side.direction())
            .detail("fact", self.fact())
            .detail("wire_id", self.wire.clone());
        tx.append_ledger(event)?;
        Ok(())
    }
}

fn fact_words(kind: u8, index: u8) -> String {
    match kind {
        4 | 5 => format!("{} {index}", kind_word(kind)),
        _ => kind_word(kind).to_owned(),
    }
}

/// A fact that waits here, and whether its round is over here.
struct Waiting {
    wire: String,
    order: u64,
    leaf: Digest,
    over: bool,
}

/// Settles what waits, as far as it can be: the requester of the log offers what both have; either side drops what the
/// peer does not know of a round that is over on both sides.
pub(super) async fn settle(
    node: &Node,
    log: &Log,
    stream: &mut ControlStream,
) -> Result<Settled, RoundError> {
    let mut settled = Settled::default();
    let mut known: Vec<(String, u64)> = Vec::new();
    let waiting = waiting(node, log)?;
    for some in waiting.chunks(FACTS_MAX) {
        let facts = some.iter().map(pending_fact).collect::<Option<Vec<_>>>();
        let facts = facts.ok_or_else(pair::damaged)?;
        let question = Message::PairPending {
            log: log.wire as u8,
            facts,
        };
        let states = match ask(stream, &question).await? {
            Message::PairKnown { states } if states.len() == some.len() => states,
            other => return Err(unexpected(&other, "PairKnown")),
        };
        for (fact, state) in some.iter().zip(states) {
            match state {
                FactState::Same => known.push((fact.wire.clone(), fact.order)),
                FactState::Unknown | FactState::InLog if fact.over => {
                    settled.dropped.push(Dropped {
                        wire: fact.wire.clone(),
                        order: fact.order,
                    });
                }
                FactState::Other => {
                    return Err(PeerFault::PairLog("a pending fact has other bytes there").into());
                }
                FactState::Unknown | FactState::InLog | FactState::NotYet => {}
            }
        }
    }
    if log.side == Side::Requester {
        for _ in 0..known.len().div_ceil(FACTS_MAX) {
            let both = |_: &WriteTx<'_>, wire: &str, order| {
                Ok(known
                    .iter()
                    .any(|(known, at)| known == wire && *at == order))
            };
            pair::offer_those(node, stream, &log.name, log.parties, both).await?;
            settled.offered = true;
        }
    }
    Ok(settled)
}

fn waiting(node: &Node, log: &Log) -> Result<Vec<Waiting>, RoundError> {
    let tx = node.store.read()?;
    let name = log.name.as_str();
    let mut waiting = Vec::new();
    for ((_, wire, order), leaf) in tx.scan(PAIR_PENDING, (name, "", 0)..=(name, "~", u64::MAX))? {
        let round = match tx.find(ROUNDS_BY_WIRE, wire.as_str())? {
            Some(id) => tx.find(ROUNDS, id.as_str())?,
            None => None,
        };
        // A round that began anew after a crash is, under its earlier id, over.
        let over = round.is_none_or(|round| {
            let current = round.terms().map(|terms| terms.round_id().to_string());
            round.state.is_over() || current.as_deref() != Some(wire.as_str())
        });
        waiting.push(Waiting {
            leaf: Digest(leaf_hash(&unhex(&leaf)?)),
            wire,
            order,
            over,
        });
    }
    Ok(waiting)
}

fn pending_fact(fact: &Waiting) -> Option<PendingFact> {
    let name: FactName =
        fact_name(&(fact.wire.clone(), kind_of(fact.order), index_of(fact.order)))?;
    Some(PendingFact {
        name,
        leaf: fact.leaf,
    })
}
