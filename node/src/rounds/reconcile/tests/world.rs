//! Two nodes on loopback, and what is put into their pair logs by hand.

use mandorla_control::Role;
use mandorla_protocol::RoundId;

use super::super::*;
use crate::records::pair::{PAIR_LEAVES, PAIR_LOGS, PAIR_PENDING, PairLogRecord};
use crate::test_node::{Guard, two};

pub(super) const ROLES: &[Role] = &[Role::Auditor, Role::Operator];
/// The log in which UK asks.
pub(super) const AT_UK: &str = "RS/asked-by-us";
pub(super) const AT_RS: &str = "UK/asked-by-them";

pub(super) struct World {
    _dirs: [Guard; 2],
    pub(super) uk: Arc<Node>,
    pub(super) rs: Arc<Node>,
}

impl World {
    pub(super) fn new() -> Self {
        let (dirs, [uk, rs]) = two();
        Self {
            _dirs: dirs,
            uk,
            rs,
        }
    }

    /// The log in which UK asks, of these facts, with both signatures.
    pub(super) fn write(&self, node: &Node, name: &str, facts: &[Vec<u8>]) {
        let (log, note) = self.signed(facts);
        let record = PairLogRecord {
            tree: hex::encode(log.tree().to_bytes()),
            note: Some(note),
            in_flight: None,
            restored: false,
        };
        node.store
            .write_unlogged::<_, StoreError>(|tx| {
                for ((_, seq), _) in tx.scan(PAIR_LEAVES, (name, 0)..=(name, u64::MAX))? {
                    tx.remove(PAIR_LEAVES, (name, seq))?;
                }
                for (seq, leaf) in facts.iter().enumerate() {
                    tx.put(PAIR_LEAVES, (name, seq as u64), &hex::encode(leaf))?;
                }
                tx.put(PAIR_LOGS, name, &record)
            })
            .unwrap();
    }

    pub(super) fn signed(&self, facts: &[Vec<u8>]) -> (mandorla_protocol::PairLog, String) {
        let parties = Parties::with(&self.uk, self.rs.identity.node_key(), Side::Requester);
        let mut log = pair::load(&PairLogRecord::default(), parties).unwrap();
        for leaf in facts {
            log.append(leaf);
        }
        let note = log.offer_note(self.uk.identity.signer());
        let line = log.countersign(&note, self.rs.identity.signer()).unwrap();
        let note = log.complete_note(&note, &line).unwrap();
        (log, note)
    }

    pub(super) fn both(&self, at_uk: &[Vec<u8>], at_rs: &[Vec<u8>]) {
        self.write(&self.uk, AT_UK, at_uk);
        self.write(&self.rs, AT_RS, at_rs);
    }

    pub(super) async fn from(&self, node: &Arc<Node>) -> ReconcileReport {
        let peer = if node.code() == "UK" { "RS" } else { "UK" };
        reconcile(node, &auditor(), ROLES, peer).await.unwrap()
    }
}

pub(super) fn mark_restored(node: &Node, name: &str) {
    node.store
        .write_unlogged::<_, StoreError>(|tx| {
            let mut record = tx.find(PAIR_LOGS, name)?.unwrap_or_default();
            record.restored = true;
            tx.put(PAIR_LOGS, name, &record)
        })
        .unwrap();
}

pub(super) fn auditor() -> Caller {
    Caller {
        name: "aud".to_owned(),
        roles: vec![Role::Auditor],
        uid: None,
    }
}

/// A fact of kind 2, by hand: `framed("mandorla/1 fact", salt, kind, round, body)`.
pub(super) fn fact(number: u8) -> Vec<u8> {
    let mut leaf = vec![15];
    leaf.extend_from_slice(b"mandorla/1 fact");
    for part in [&[number; 32][..], &[2], &[number; 32], &[7; 32]] {
        leaf.extend_from_slice(&(part.len() as u64).to_le_bytes());
        leaf.extend_from_slice(part);
    }
    leaf
}

pub(super) fn facts(numbers: std::ops::Range<u8>) -> Vec<Vec<u8>> {
    numbers.map(fact).collect()
}

pub(super) fn pend(node: &Node, name: &str, number: u8) {
    let wire = RoundId([number; 32]).to_string();
    node.store
        .write_unlogged::<_, StoreError>(|tx| {
            let key = (name, wire.as_str(), 2 << 8);
            tx.put(PAIR_PENDING, key, &hex::encode(fact(number)))
        })
        .unwrap();
}

pub(super) fn events(node: &Node, event: Event) -> Vec<mandorla_store::LedgerEntry> {
    let ledger = node.store.read().unwrap().ledger().unwrap();
    let mut entries = ledger.entries(0..ledger.size()).unwrap();
    entries.retain(|entry| entry.event == event.name());
    entries
}

pub(super) fn outcomes(report: &ReconcileReport) -> [&str; 2] {
    [&report.logs[0].outcome, &report.logs[1].outcome].map(String::as_str)
}
