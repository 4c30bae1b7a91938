//! The own ledger against the own pair logs: each fact has its entry, each commitment opens.

use std::collections::{BTreeMap, BTreeSet};

use mandorla_protocol::merkle::{Frontier, Hash, LeafHashes as _};
use mandorla_protocol::{Digest, FactLeaf, ledger_commitment};
use mandorla_store::{LedgerEntry, LedgerReader, ReadTx, StoreError};
use serde_json::Value;

use crate::events::Event;
use crate::records::round::ANSWERS;

/// What the ledger says of the facts of pair logs.
#[derive(Default)]
pub(super) struct Recorded {
    /// Round id on the wire → round id on this node.
    rounds: BTreeMap<String, String>,
    /// (round on this node, kind, what is said).
    facts: BTreeSet<(String, u8, String)>,
    /// (peer, direction, first, size) of facts that were taken over from the peer: the entries went with the backup's
    /// age.
    adopted: Vec<(String, String, u64, u64)>,
}

impl Recorded {
    pub(super) fn read(ledger: &LedgerReader) -> Result<Self, StoreError> {
        let mut recorded = Self::default();
        for seq in 0..ledger.size() {
            match ledger.entry(seq) {
                Ok(entry) => recorded.entry(&entry),
                // An entry that is none is a fault of the ledger, which its own verification names.
                Err(StoreError::Ledger(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(recorded)
    }

    fn entry(&mut self, entry: &LedgerEntry) {
        let text = |name: &str| entry.detail.get(name).and_then(Value::as_str).unwrap_or("");
        let number = |name: &str| entry.detail.get(name).and_then(Value::as_u64).unwrap_or(0);
        if entry.event == Event::PairLogAdopted.name() {
            let (peer, direction) = (text("peer").to_owned(), text("direction").to_owned());
            self.adopted
                .push((peer, direction, number("first"), number("size")));
        }
        let Some(round) = &entry.round else {
            return;
        };
        let is = |event: Event| entry.event == event.name();
        let fact = if is(Event::RoundTerms) {
            self.rounds
                .insert(text("wire_id").to_owned(), round.clone());
            Some((1, number("evaluations").to_string()))
        } else if is(Event::RoundEvaluated) {
            Some((2, text("evaluation_root").to_owned()))
        } else if is(Event::QuestionAcknowledged) || is(Event::QuestionReceived) {
            Some((3, format!("{} {}", text("question_root"), number("t0"))))
        } else if is(Event::AnswerReceived) || is(Event::AnswerFrozen) {
            Some((4, text("answer_digest").to_owned()))
        } else if is(Event::ReceiptAcknowledged) || is(Event::ReceiptReceived) {
            Some((5, text("receipt_digest").to_owned()))
        } else if is(Event::RoundClosed) {
            Some((6, String::new()))
        } else if is(Event::RoundWithdrawn) {
            Some((7, String::new()))
        } else {
            None
        };
        if let Some((kind, said)) = fact {
            self.facts.insert((round.clone(), kind, said));
        }
    }

    /// Whether the ledger has the entry of fact `seq` of a log.
    pub(super) fn has(&self, peer: &str, direction: &str, seq: u64, leaf: &[u8]) -> bool {
        let taken_over = self.adopted.iter().any(|(of, way, first, size)| {
            of == peer && way == direction && (*first..*size).contains(&seq)
        });
        if taken_over {
            return true;
        }
        let Some(fact) = FactLeaf::parse(leaf) else {
            return false;
        };
        let Some(round) = self.rounds.get(&fact.round_id.to_string()) else {
            return false;
        };
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        let said = match fact.kind {
            1 => number(&fact.body).to_string(),
            3 if fact.body.len() == 40 => {
                let (root, t0) = fact.body.split_at(32);
                format!("{} {}", hex::encode(root), number(t0))
            }
            2 | 4 | 5 => hex::encode(&fact.body),
            _ => String::new(),
        };
        self.facts.contains(&(round.clone(), fact.kind, said))
    }
}

/// Opens each commitment to the own ledger that left with an answer or a receipt.
pub(super) fn commitments(tx: &ReadTx, ledger: &LedgerReader) -> Result<Vec<String>, StoreError> {
    let answers = tx.scan_all(ANSWERS)?;
    let sizes: BTreeSet<u64> = answers
        .iter()
        .filter_map(|(_, answer)| answer.ledger_size)
        .collect();
    let roots = roots(ledger, &sizes)?;
    let mut faults = Vec::new();
    for ((round, slot), answer) in &answers {
        let Some(size) = answer.ledger_size else {
            continue;
        };
        let Some(root) = roots.get(&size) else {
            faults.push(format!(
                "slot {slot} of round {round} commits to {size} ledger entries, and there are {}: the ledger was cut off or rolled back",
                ledger.size()
            ));
            continue;
        };
        let mut salt = [0; 32];
        let opened = hex::decode_to_slice(&answer.ledger_salt, &mut salt)
            .is_ok_and(|()| ledger_commitment(&salt, &Digest(*root)) == answer.ledger_commitment.0);
        if !opened {
            faults.push(format!(
                "slot {slot} of round {round} commits to other entries than the first {size} of the ledger"
            ));
        }
    }
    Ok(faults)
}

/// The roots of the ledger at these sizes, as far as it has them.
fn roots(ledger: &LedgerReader, sizes: &BTreeSet<u64>) -> Result<BTreeMap<u64, Hash>, StoreError> {
    let mut roots = BTreeMap::new();
    let mut tree = Frontier::new();
    let Some(last) = sizes.last() else {
        return Ok(roots);
    };
    for seq in 0..ledger.size().min(*last) {
        tree.append(ledger.leaf(seq)?);
        if sizes.contains(&tree.size()) {
            roots.insert(tree.size(), tree.root());
        }
    }
    Ok(roots)
}
