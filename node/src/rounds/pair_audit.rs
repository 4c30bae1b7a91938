//! Recomputing pair logs from their leaves, and checking both signatures of the last checkpoint.

mod ledger;

use mandorla_control::PairLogView;
use mandorla_protocol::PairLog;
use mandorla_protocol::merkle::{Frontier, leaf_hash};
use mandorla_store::{ReadTx, StoreError};

use crate::node::Node;
use crate::records::pair::{PAIR_LEAVES, PAIR_LOGS, PAIR_PENDING, PairLogRecord};
use crate::records::peer::PEERS;
use crate::rounds::pair::{Parties, side_of};
use ledger::Recorded;

/// Every pair log as it is, and what is wrong with any.
pub(crate) fn audit(node: &Node) -> Result<(Vec<PairLogView>, Vec<String>), StoreError> {
    let tx = node.store.read()?;
    let mut views = Vec::new();
    let mut faults = Vec::new();
    let ledger = tx.ledger()?;
    let recorded = Recorded::read(&ledger)?;
    for (name, record) in tx.scan_all(PAIR_LOGS)? {
        let (view, found) = audit_one(node, &tx, &recorded, &name, &record)?;
        faults.extend(
            found
                .into_iter()
                .map(|fault| format!("pair log {name}: {fault}")),
        );
        views.push(view);
    }
    faults.extend(ledger::commitments(&tx, &ledger)?);
    Ok((views, faults))
}

fn audit_one(
    node: &Node,
    tx: &ReadTx,
    recorded: &Recorded,
    name: &str,
    record: &PairLogRecord,
) -> Result<(PairLogView, Vec<String>), StoreError> {
    let (peer, _) = name.split_once('/').unwrap_or((name, ""));
    let mut tree = Frontier::new();
    let direction = side_of(name).direction();
    let mut fault = None;
    let mut unrecorded = Vec::new();
    for ((_, seq), leaf) in tx.scan(PAIR_LEAVES, (name, 0)..=(name, u64::MAX))? {
        match hex::decode(&leaf) {
            Ok(leaf) if seq == tree.size() => {
                tree.append(leaf_hash(&leaf));
                if !recorded.has(peer, direction, seq, &leaf) {
                    unrecorded.push(format!("fact {seq} has no entry in the ledger"));
                }
            }
            _ => fault = fault.or(Some(format!("fact {} is missing or damaged", tree.size()))),
        }
    }
    let stored = hex::decode(&record.tree).ok();
    let stored = stored
        .filter(|tree| !tree.is_empty())
        .map(|tree| Frontier::from_bytes(&tree));
    let same = match stored {
        None => tree.size() == 0,
        Some(stored) => stored
            .is_some_and(|stored| stored.root() == tree.root() && stored.size() == tree.size()),
    };
    if !same {
        fault = fault.or(Some("the facts do not give the stored root".to_owned()));
    }
    let signed = match &record.note {
        None => Ok(tree.size() == 0),
        Some(note) => check_note(node, tx, name, peer, note, &tree),
    };
    if let Err(why) = &signed {
        fault = fault.or(Some(why.clone()));
    }
    let pending = tx
        .scan(PAIR_PENDING, (name, "", 0)..=(name, "~", u64::MAX))?
        .len();
    let view = PairLogView {
        peer: peer.to_owned(),
        direction: direction.to_owned(),
        facts: tree.size(),
        pending: pending as u64,
        root: hex::encode(tree.root()),
        countersigned: signed == Ok(true),
    };
    let mut faults = Vec::from_iter(fault);
    faults.extend(unrecorded);
    Ok((view, faults))
}

/// The note must be of this tree and carry the signatures of both nodes.
fn check_note(
    node: &Node,
    tx: &ReadTx,
    name: &str,
    peer: &str,
    note: &str,
    tree: &Frontier,
) -> Result<bool, String> {
    let parties = Parties::in_note(note).ok_or("its checkpoint names no two keys")?;
    let record = tx.find(PEERS, peer).ok().flatten();
    let record = record.ok_or("the peer's card is gone")?;
    if !parties.ever_signed(node, &record, side_of(name)) {
        return Err("its checkpoint is of other nodes' keys".to_owned());
    }
    let log = PairLog::with_tree(parties.requester, parties.responder, tree.clone());
    let checkpoint = log.verify_note(note).map_err(|fault| fault.to_string())?;
    if checkpoint.size() != tree.size() || *checkpoint.root() != tree.root() {
        return Err("its checkpoint is of another state".to_owned());
    }
    Ok(true)
}
