//! Recomputing pair logs from their leaves, and checking both signatures of the last checkpoint.

use mandorla_control::PairLogView;
use mandorla_protocol::NodeKey;
use mandorla_protocol::checkpoint::{Checkpoint, SignedNote};
use mandorla_protocol::merkle::{Frontier, leaf_hash};
use mandorla_store::{ReadTx, StoreError};

use crate::node::Node;
use crate::peers;
use crate::records::pair::{PAIR_LEAVES, PAIR_LOGS, PAIR_PENDING, PairLogRecord};
use crate::records::peer::PEERS;
use crate::rounds::pair;

/// Every pair log as it is, and what is wrong with any.
pub(crate) fn audit(node: &Node) -> Result<(Vec<PairLogView>, Vec<String>), StoreError> {
    let tx = node.store.read()?;
    let mut views = Vec::new();
    let mut faults = Vec::new();
    for (name, record) in tx.scan_all(PAIR_LOGS)? {
        let (view, fault) = audit_one(node, &tx, &name, &record)?;
        faults.extend(fault.map(|fault| format!("pair log {name}: {fault}")));
        views.push(view);
    }
    Ok((views, faults))
}

fn audit_one(
    node: &Node,
    tx: &ReadTx,
    name: &str,
    record: &PairLogRecord,
) -> Result<(PairLogView, Option<String>), StoreError> {
    let (peer, direction) = name.split_once('/').unwrap_or((name, ""));
    let mut tree = Frontier::new();
    let mut fault = None;
    for ((_, seq), leaf) in tx.scan(PAIR_LEAVES, (name, 0)..=(name, u64::MAX))? {
        match hex::decode(&leaf) {
            Ok(leaf) if seq == tree.size() => tree.append(leaf_hash(&leaf)),
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
        Some(note) => check_note(node, tx, peer, note, &tree),
    };
    if let Err(why) = &signed {
        fault = fault.or(Some(why.clone()));
    }
    let pending = tx
        .scan(PAIR_PENDING, (name, "", 0)..=(name, "~", u64::MAX))?
        .len();
    let view = PairLogView {
        peer: peer.to_owned(),
        direction: if direction == "asked-by-us" {
            "we ask"
        } else {
            "they ask"
        }
        .to_owned(),
        facts: tree.size(),
        pending: pending as u64,
        root: hex::encode(tree.root()),
        countersigned: signed == Ok(true),
    };
    Ok((view, fault))
}

/// The note must be of this tree and carry the signatures of both nodes.
fn check_note(
    node: &Node,
    tx: &ReadTx,
    peer: &str,
    note: &str,
    tree: &Frontier,
) -> Result<bool, String> {
    let signed = SignedNote::parse(note)
        .map_err(|error| format!("its checkpoint cannot be read: {error}"))?;
    let checkpoint = Checkpoint::parse(signed.text())
        .map_err(|error| format!("its checkpoint cannot be read: {error}"))?;
    if checkpoint.size() != tree.size() || *checkpoint.root() != tree.root() {
        return Err("its checkpoint is of another state".to_owned());
    }
    let (requester, responder) = pair::keys_in(note).ok_or("its checkpoint names no two keys")?;
    let record = tx.find(PEERS, peer).ok().flatten();
    let record = record.ok_or("the peer's card is gone")?;
    let is_own = |key: &NodeKey| node.identity.ever_signed(key);
    let is_peers = |key: &NodeKey| peers::ever_signed(&record, key);
    let of_both = (is_own(&requester) && is_peers(&responder))
        || (is_peers(&requester) && is_own(&responder));
    if !of_both {
        return Err("its checkpoint is of other nodes' keys".to_owned());
    }
    for key in [requester, responder] {
        let verifying =
            ed25519_dalek::VerifyingKey::from_bytes(&key.0).map_err(|_| "a key is not valid")?;
        signed
            .verify(&key.to_string(), &verifying)
            .map_err(|error| format!("its checkpoint: {error}"))?;
    }
    Ok(true)
}
