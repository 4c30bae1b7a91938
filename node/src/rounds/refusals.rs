//! Refused rounds in the ledger: the rule and the clause, never a text; of a peer that floods, counts.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mandorla_agreement::Refusal as RuleRefusal;
use mandorla_protocol::Refusal;
use mandorla_store::{AgreementRef, StoreError};
use tokio::time::Instant;

use crate::events::Event;
use crate::node::{Caller, Node};

/// Over this time refusals of a peer are counted together.
const WINDOW: Duration = Duration::from_mins(1);

/// Refusals of a peer that get an entry of their own in a window: more than an honest peer makes, whose rounds are
/// minutes apart. With those behind it as counts, one per rule and window, a peer that floods adds a few megabytes to
/// the ledger in a day.
const ENTRIES_PER_WINDOW: u32 = 12;

/// Which rule refused, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Broken {
    pub rule: &'static str,
    pub clause: String,
}

impl Broken {
    pub(crate) fn new(rule: &'static str, clause: impl Into<String>) -> Self {
        Self {
            rule,
            clause: clause.into(),
        }
    }

    /// What the protocol's own check of an offer found.
    pub(crate) fn of_protocol(refusal: Refusal) -> Self {
        let (rule, clause) = match refusal {
            Refusal::UnknownAgreement => ("agreement", "agreement"),
            Refusal::NotLive | Refusal::Suspended => ("state", "state"),
            Refusal::Dates => ("dates", "expires"),
            Refusal::Purpose => ("purpose", "purpose.code"),
            Refusal::Datasets => ("dataset", "dataset"),
            Refusal::LinkageRules => ("linkage", "linkage"),
            Refusal::KeyTypes => ("match_key", "match_key"),
            Refusal::SetSize => ("set_size", "limits"),
            Refusal::Quota => ("quota", "limits"),
            Refusal::Slots => ("slots", "answer"),
            Refusal::LocalPolicy => ("policy", "policy"),
            Refusal::Clock => ("clock", "clock"),
            _ => ("protocol", "protocol"),
        };
        Self::new(rule, clause)
    }
}

impl From<&RuleRefusal> for Broken {
    fn from(refusal: &RuleRefusal) -> Self {
        Self::new(refusal.rule, refusal.clause.clone())
    }
}

/// Refusals of this minute, by peer.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<HashMap<String, Window>>);

struct Window {
    began: Instant,
    written: u32,
    counted: BTreeMap<Broken, u64>,
}

/// What becomes of a refusal.
#[derive(Debug, PartialEq, Eq)]
enum Note {
    /// An entry of its own.
    Entry,
    /// The first of this window that is counted: its end must be waited for.
    FirstCounted,
    /// Counted.
    Counted,
}

impl Refusals {
    fn note(&self, peer: &str, broken: &Broken, now: Instant) -> Note {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(peer.to_owned()).or_insert_with(|| Window {
            began: now,
            written: 0,
            counted: BTreeMap::new(),
        });
        // What is counted is taken by the task that waits for it.
        if now.duration_since(window.began) >= WINDOW && window.counted.is_empty() {
            (window.began, window.written) = (now, 0);
        }
        if window.written < ENTRIES_PER_WINDOW && window.counted.is_empty() {
            window.written += 1;
            return Note::Entry;
        }
        let first = window.counted.is_empty();
        *window.counted.entry(broken.clone()).or_default() += 1;
        if first {
            Note::FirstCounted
        } else {
            Note::Counted
        }
    }

    fn take(&self, peer: &str) -> BTreeMap<Broken, u64> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.remove(peer);
        window.map_or_else(BTreeMap::new, |window| window.counted)
    }
}

/// An offer of a peer was refused: one entry, or a count among many.
pub(crate) fn of_peer(
    node: &Arc<Node>,
    peer: &str,
    agreement_hash: &str,
    broken: &Broken,
) -> Result<(), StoreError> {
    let note = node.rounds.refusals().note(peer, broken, Instant::now());
    match note {
        Note::Entry => write(node, |event| {
            event
                .by(peer, "peer")
                .detail("agreement_hash", agreement_hash)
                .detail("rule", broken.rule)
                .detail("clause", broken.clause.clone())
        }),
        Note::FirstCounted => {
            let (node, peer) = (Arc::clone(node), peer.to_owned());
            tokio::spawn(async move {
                let mut stopping = node.stopping.subscribe();
                tokio::select! {
                    () = tokio::time::sleep(WINDOW) => {}
                    _ = stopping.changed() => {}
                }
                write_counts(&node, &peer);
            });
            Ok(())
        }
        Note::Counted => Ok(()),
    }
}

fn write_counts(node: &Node, peer: &str) {
    for (broken, count) in node.rounds.refusals().take(peer) {
        let written = write(node, |event| {
            event
                .by(peer, "peer")
                .detail("rule", broken.rule)
                .detail("clause", broken.clause)
                .detail("count", count)
        });
        if let Err(error) = written {
            tracing::error!(%peer, %error, count, "refused offers could not be recorded");
        }
    }
}

/// An own proposal was refused.
pub(crate) fn of_own(
    node: &Node,
    caller: &Caller,
    agreement: AgreementRef,
    peer: &str,
    broken: &Broken,
) -> Result<(), StoreError> {
    write(node, |event| {
        event
            .by(caller.name.clone(), mandorla_control::Role::Analyst.word())
            .agreement(agreement)
            .detail("peer", peer)
            .detail("rule", broken.rule)
            .detail("clause", broken.clause.clone())
    })
}

fn write(
    node: &Node,
    entry: impl FnOnce(mandorla_store::LedgerEvent) -> mandorla_store::LedgerEvent,
) -> Result<(), StoreError> {
    let event = entry(node.event(Event::RoundRefused));
    node.store
        .write::<_, StoreError>(|tx| tx.append_ledger(event).map(|_| ()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_refused_offers_becomes_one_entry_per_rule_and_minute() {
        let (_dir, _, node) = crate::test_node::node();
        let entries = || node.store.read().unwrap().ledger().unwrap().size();
        let before = entries();
        let broken = [
            Broken::new("purpose", "purpose.code"),
            Broken::new("min_set", "limits.RS_to_UK.min_set"),
        ];
        for index in 0..10_000 {
            of_peer(&node, "RS", "ab", &broken[index % 2]).unwrap();
        }
        let own = u64::from(ENTRIES_PER_WINDOW);
        assert_eq!(entries() - before, own);
        of_peer(&node, "HR", "ab", &broken[0]).unwrap();
        assert_eq!(entries() - before, own + 1, "another peer is heard");
        tokio::time::sleep(WINDOW + Duration::from_secs(1)).await;
        assert_eq!(entries() - before, own + 3, "one more for each rule");
        of_peer(&node, "RS", "ab", &broken[0]).unwrap();
        assert_eq!(entries() - before, own + 4, "a new minute has begun");
    }
}
