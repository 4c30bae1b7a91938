//! Changing a round's record: one transaction, the ledger entry inside it, then everybody who watches is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mandorla_control::{ApiError, ErrorCode};
use mandorla_store::{LedgerEvent, StoreError, WriteTx};
use tokio::sync::{Notify, oneshot, watch};

use super::refusals::Refusals;
use crate::node::{Node, storage};
use crate::records::dataset::DATASETS;
use crate::records::round::{ROUNDS, RoundRecord, RoundState};

/// What runs beside the store: wake-ups for drivers and watchers, and locks per peer.
pub(crate) struct Runtime {
    changed: watch::Sender<u64>,
    wake: Mutex<HashMap<String, Arc<Notify>>>,
    locks: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    evaluations: Mutex<HashMap<String, oneshot::Sender<()>>>,
    refusals: Refusals,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            changed: watch::Sender::new(0),
            wake: Mutex::default(),
            locks: Mutex::default(),
            evaluations: Mutex::default(),
            refusals: Refusals::default(),
        }
    }
}

impl Runtime {
    /// Counts every change of any round.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Wakes the driver of a round.
    pub(crate) fn notify_of(&self, round: &str) -> Arc<Notify> {
        let mut wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(wake.entry(round.to_owned()).or_default())
    }

    /// A lock by name: one pair-log exchange at a time per log, one offer at a time per peer.
    pub(crate) fn lock_of(&self, log: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(log.to_owned()).or_default())
    }

    /// Ends whatever evaluation of a round runs, and gives what ends the caller's own when another takes over.
    pub(crate) fn take_over(&self, round: &str) -> oneshot::Receiver<()> {
        let (ends, ended) = oneshot::channel();
        let mut evaluations = self
            .evaluations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        evaluations.insert(round.to_owned(), ends);
        ended
    }

    /// Refused offers of this minute.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    fn tell(&self, round: &str) {
        self.changed.send_modify(|count| *count += 1);
        self.notify_of(round).notify_one();
    }
}

/// Reads a round.
pub(crate) fn find(node: &Node, id: &str) -> Result<Option<RoundRecord>, StoreError> {
    node.store.read()?.find(ROUNDS, id)
}

/// Reads a round that a caller named.
pub(crate) fn required(node: &Node, id: &str) -> Result<RoundRecord, ApiError> {
    find(node, id).map_err(storage)?.ok_or_else(|| {
        ApiError::new(
            ErrorCode::NotFound,
            format!("there is no round {id} on this node"),
        )
        .hint("mandorla round list")
    })
}

/// Moves a round on, from one of the states that this step starts in, with whatever else belongs to the step and
/// its ledger entry. A round that is elsewhere by now is left alone: the step is void.
pub(crate) fn update<E: From<StoreError>>(
    node: &Node,
    id: &str,
    from: &[RoundState],
    event: LedgerEvent,
    change: impl FnOnce(&WriteTx<'_>, &mut RoundRecord) -> Result<(), E>,
) -> Result<RoundRecord, E> {
    update_saying(node, id, from, |tx, record| {
        change(tx, record)?;
        Ok(event)
    })
}

/// [`update`], where what the ledger says is known only inside the step.
pub(crate) fn update_saying<E: From<StoreError>>(
    node: &Node,
    id: &str,
    from: &[RoundState],
    change: impl FnOnce(&WriteTx<'_>, &mut RoundRecord) -> Result<LedgerEvent, E>,
) -> Result<RoundRecord, E> {
    let record = node.store.write(|tx| {
        let (record, event) = change_in(tx, id, |tx, record| {
            if from.contains(&record.state) {
                change(tx, record)
            } else {
                Err(StoreError::Missing {
                    what: "round in the state that this step begins in",
                }
                .into())
            }
        })?;
        let event = event.agreement(record.agreement_ref()).round(id);
        tx.append_ledger(event)?;
        Ok::<_, E>(record)
    })?;
    node.rounds.tell(id);
    Ok(record)
}

/// Changes what is derived (progress, byte counts), without a ledger entry.
pub(crate) fn note(
    node: &Node,
    id: &str,
    change: impl FnOnce(&WriteTx<'_>, &mut RoundRecord) -> Result<(), StoreError>,
) -> Result<RoundRecord, StoreError> {
    let (record, ()) = node.store.write_unlogged(|tx| change_in(tx, id, change))?;
    node.rounds.tell(id);
    Ok(record)
}

fn change_in<T, E: From<StoreError>>(
    tx: &WriteTx<'_>,
    id: &str,
    change: impl FnOnce(&WriteTx<'_>, &mut RoundRecord) -> Result<T, E>,
) -> Result<(RoundRecord, T), E> {
    let mut record = tx
        .find(ROUNDS, id)?
        .ok_or(StoreError::Missing { what: "such round" })?;
    let value = change(tx, &mut record)?;
    record.revision += 1;
    tx.put(ROUNDS, id, &record)?;
    Ok((record, value))
}

/// Stores a new round under the next free id of the day: `R-20261124-001`.
pub(crate) fn create<E: From<StoreError>>(
    node: &Node,
    prefix: &str,
    mut record: RoundRecord,
    event: LedgerEvent,
    also: impl FnOnce(&WriteTx<'_>, &RoundRecord) -> Result<(), E>,
) -> Result<RoundRecord, E> {
    let day = day_text(node.clock.now_s());
    let stem = format!("{prefix}-{day}-");
    let record = node.store.write(|tx| {
        let last = format!("{stem}~");
        let today = tx.scan(ROUNDS, stem.as_str()..last.as_str())?;
        let numbers = today
            .iter()
            .filter_map(|(id, _)| id.strip_prefix(&stem)?.parse::<u32>().ok());
        let number = numbers.max().unwrap_or(0) + 1;
        record.id = format!("{stem}{number:03}");
        // The dataset may have been loaded anew since the round was admitted.
        let dataset = tx.find(DATASETS, record.dataset.as_str())?;
        if dataset.is_none_or(|dataset| dataset.generation != record.generation) {
            return Err(StoreError::Missing {
                what: "dataset any more as the round was admitted with; try again",
            }
            .into());
        }
        tx.put(ROUNDS, record.id.as_str(), &record)?;
        also(tx, &record)?;
        tx.append_ledger(
            event
                .agreement(record.agreement_ref())
                .round(record.id.clone()),
        )?;
        Ok::<_, E>(record)
    })?;
    node.rounds.tell(&record.id);
    Ok(record)
}

fn day_text(now_s: u64) -> String {
    let seconds = i64::try_from(now_s).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| "00000000".to_owned(),
        |time| time.strftime("%Y%m%d").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use mandorla_store::AgreementRef;

    use super::*;
    use crate::events::Event;
    use crate::records::dataset::DatasetRecord;
    use crate::records::round::{About, Side};

    #[test]
    fn a_step_is_void_where_the_round_is_elsewhere_by_now() {
        let (_dir, _, node) = crate::test_node::node();
        let dataset: DatasetRecord = serde_json::from_value(serde_json::json!({
            "name": "list", "generation": 1, "subjects": 0, "fields": [], "digest": "", "loaded_at": 0,
            "synthetic": true, "report": mandorla_control::LoadReportView::default(),
        }))
        .unwrap();
        let about = About {
            peer: "RS",
            agreement: AgreementRef {
                id: "A".to_owned(),
                version: 1,
                hash: String::new(),
            },
            purpose: "P",
            dataset: &dataset,
            peer_dataset: "register",
            policy_scope: String::new(),
        };
        let record = RoundRecord::begin(Side::Requester, RoundState::Negotiating, &about, 0);
        node.store
            .write_unlogged::<_, StoreError>(|tx| tx.put(DATASETS, "list", &dataset))
            .unwrap();
        let event = || node.event(Event::RoundEnded);
        let id = create::<StoreError>(&node, "R", record, event(), |_, _| Ok(()))
            .unwrap()
            .id;

        let step = |from: &[RoundState], to| {
            update::<StoreError>(&node, &id, from, event(), |_, record| {
                record.state = to;
                Ok(())
            })
        };
        step(&[RoundState::Negotiating], RoundState::Ended).unwrap();
        let entries = node.store.read().unwrap().ledger().unwrap().size();
        step(
            &[RoundState::Negotiating, RoundState::Evaluating],
            RoundState::AwaitingApproval,
        )
        .unwrap_err();
        assert_eq!(find(&node, &id).unwrap().unwrap().state, RoundState::Ended);
        assert_eq!(node.store.read().unwrap().ledger().unwrap().size(), entries);
    }
}
