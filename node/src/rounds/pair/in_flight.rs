//! An offer that was sent and not answered, when its answer is learned in another way, or its keys are not good any more.

use mandorla_protocol::merkle::leaf_hash;

use super::{Parties, append, damaged, find_all, load, store, take};
use crate::node::Node;
use crate::records::pair::PAIR_LOGS;
use crate::rounds::error::RoundError;
use crate::rounds::signer_of;

/// Signs an offer that was not answered anew, with the present keys: the same facts in the same order, so that whatever
/// the peer countersigns, of this size there is one root.
pub(crate) fn renew_offer(node: &Node, name: &str, parties: Parties) -> Result<(), RoundError> {
    node.store.write_unlogged(|tx| {
        let mut record = tx.find(PAIR_LOGS, name)?.unwrap_or_default();
        let mut log = load(&record, parties)?;
        let Some(in_flight) = &mut record.in_flight else {
            return Ok(());
        };
        if Parties::in_note(&in_flight.note) == Some(parties) {
            return Ok(());
        }
        for leaf in find_all(tx, name, &in_flight.facts)?.ok_or_else(damaged)? {
            log.append(&leaf);
        }
        in_flight.note = log.offer_note(&signer_of(node, &parties.requester)?.signer);
        tx.put(PAIR_LOGS, name, &record)?;
        Ok(())
    })
}

/// Takes the peer's word for the offer in flight: a note with both signatures over exactly the log after it. Whether it
/// was that offer.
pub(crate) fn complete_offer(node: &Node, name: &str, note: &str) -> Result<bool, RoundError> {
    node.store.write_unlogged(|tx| {
        let record = tx.find(PAIR_LOGS, name)?.unwrap_or_default();
        let (Some(in_flight), Some(parties)) = (&record.in_flight, Parties::in_note(note)) else {
            return Ok(false);
        };
        let Some(leaves) = find_all(tx, name, &in_flight.facts)? else {
            return Ok(false);
        };
        let mut log = load(&record, parties)?;
        let checkpoint = log.verify_note(note)?;
        let mut after = log.tree().clone();
        for leaf in &leaves {
            after.append(leaf_hash(leaf));
        }
        if checkpoint.size() != after.size() || *checkpoint.root() != after.root() {
            return Ok(false);
        }
        take(tx, name, &in_flight.facts)?;
        append(tx, name, &mut log, &leaves)?;
        store(tx, name, &log, note.to_owned(), record.restored)?;
        Ok(true)
    })
}
