//! The stored subjects, by generation.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::{MutexGuard, PoisonError, TryLockError};

use mandorla_control::ApiError;
use mandorla_linkage::Subject;
use mandorla_store::{StoreError, Table, WriteTx};

use super::uses_generation;
use crate::node::{Node, storage};
use crate::records::dataset::{DATASETS, SUBJECTS};
use crate::records::round::ROUNDS;

/// Rows of one transaction: some megabytes, and a few dozen flushes for a million rows.
pub(super) const ROWS_PER_TRANSACTION: usize = 16_384;

/// The one row `"next"`: the generation that the next load gets. Never set back.
pub(crate) const GENERATIONS: Table<&str, u64> = Table::new("dataset_generations");
const NEXT: &str = "next";

/// Visits the subjects of a generation, in the order of their indexes from 0.
///
/// # Errors
/// The visitor's own, and [`StoreError::NotAStore`] where a row is unreadable, or there are not exactly `subjects`.
pub(crate) fn for_each_subject<E: From<StoreError>>(
    node: &Node,
    generation: u64,
    subjects: u64,
    mut visit: impl FnMut(u64, Subject) -> Result<(), E>,
) -> Result<(), E> {
    let tx = node.store.read()?;
    let mut expected = 0;
    tx.scan_each(
        SUBJECTS,
        (generation, 0)..=(generation, u64::MAX),
        |(_, index), stored| {
            if index != expected {
                return Err(damaged().into());
            }
            expected += 1;
            visit(index, decode(&stored)?)?;
            Ok::<_, E>(ControlFlow::Continue(()))
        },
    )?;
    if expected != subjects {
        return Err(damaged().into());
    }
    Ok(())
}

/// One subject of a generation.
pub(crate) fn subject(
    node: &Node,
    generation: u64,
    index: u64,
) -> Result<Option<Subject>, StoreError> {
    let stored = node.store.read()?.find(SUBJECTS, (generation, index))?;
    stored.map(|stored: String| decode(&stored)).transpose()
}

fn decode(stored: &str) -> Result<Subject, StoreError> {
    let bytes = hex::decode(stored).map_err(|_| damaged())?;
    Subject::from_bytes(&bytes).map_err(|_| damaged())
}

fn damaged() -> StoreError {
    StoreError::NotAStore {
        what: "complete and readable dataset",
    }
}

/// The right to make a generation, one load at a time; without it no rows are swept, which might be those of a load.
pub(super) fn try_lock(node: &Node) -> Option<MutexGuard<'_, ()>> {
    match node.loading.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(PoisonError::into_inner(poisoned)),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Rows on their way into a new generation.
pub(super) struct NewRows<'node> {
    node: &'node Node,
    pub(super) generation: u64,
    count: u64,
    pending: Vec<String>,
}

impl<'node> NewRows<'node> {
    /// Takes the next generation number, durably.
    pub(super) fn begin(node: &'node Node) -> Result<Self, ApiError> {
        let generation = node.store.write_unlogged(|tx| {
            let generation = tx.find(GENERATIONS, NEXT)?.unwrap_or(1);
            tx.put(GENERATIONS, NEXT, &(generation + 1))?;
            Ok::<_, StoreError>(generation)
        });
        Ok(Self {
            node,
            generation: generation.map_err(storage)?,
            count: 0,
            pending: Vec::with_capacity(ROWS_PER_TRANSACTION),
        })
    }

    /// Adds the bytes of the next subject.
    pub(super) fn push(&mut self, subject: &[u8]) -> Result<(), ApiError> {
        self.pending.push(hex::encode(subject));
        if self.pending.len() == ROWS_PER_TRANSACTION {
            self.node
                .store
                .write_unlogged(|tx| self.put(tx))
                .map_err(storage)?;
            self.count += self.pending.len() as u64;
            self.pending.clear();
        }
        Ok(())
    }

    /// Writes the rest, in the transaction that makes them count.
    pub(super) fn put(&self, tx: &WriteTx<'_>) -> Result<(), StoreError> {
        for (index, row) in (self.count..).zip(&self.pending) {
            tx.put(SUBJECTS, (self.generation, index), row)?;
        }
        Ok(())
    }
}

/// Removes the rows of generations that no dataset and no open round points to. Does nothing while a load is under way,
/// which sweeps at its own end.
pub(crate) fn sweep(node: &Node) -> Result<(), StoreError> {
    match try_lock(node) {
        Some(guard) => sweep_locked(node, &guard).map(|_| ()),
        None => Ok(()),
    }
}

/// As [`sweep`], by the holder of the lock. Returns how many rows were removed.
pub(super) fn sweep_locked(node: &Node, _lock: &MutexGuard<'_, ()>) -> Result<u64, StoreError> {
    let (mut from, mut removed) = (0, 0);
    while let Some(generation) = first_generation(node, from)? {
        loop {
            let some = remove_some(node, generation)?;
            removed += some as u64;
            if some < ROWS_PER_TRANSACTION {
                break;
            }
        }
        from = generation + 1;
    }
    Ok(removed)
}

/// Rows of loads of this dataset that an open round still reads.
pub(super) fn rows_of(node: &Node, dataset: &str) -> Result<u64, StoreError> {
    let tx = node.store.read()?;
    let rounds = tx.scan_all(ROUNDS)?;
    let generations: BTreeSet<u64> = rounds
        .into_iter()
        .filter(|(_, round)| round.dataset == dataset && !round.state.is_over())
        .map(|(_, round)| round.generation)
        .collect();
    let mut count = 0;
    for generation in generations {
        tx.scan_each(
            SUBJECTS,
            (generation, 0)..=(generation, u64::MAX),
            |_, _| {
                count += 1;
                Ok::<_, StoreError>(ControlFlow::Continue(()))
            },
        )?;
    }
    Ok(count)
}

fn first_generation(node: &Node, from: u64) -> Result<Option<u64>, StoreError> {
    let mut found = None;
    node.store
        .read()?
        .scan_each(SUBJECTS, (from, 0).., |(generation, _), _| {
            found = Some(generation);
            Ok::<_, StoreError>(ControlFlow::Break(()))
        })?;
    Ok(found)
}

/// Removes a batch of rows that nothing needs; says how many. A full batch may have more behind it.
fn remove_some(node: &Node, generation: u64) -> Result<usize, StoreError> {
    node.store.write_unlogged(|tx| {
        let datasets = tx.scan_all(DATASETS)?;
        let is_current = datasets
            .iter()
            .any(|(_, dataset)| dataset.generation == generation);
        if is_current || uses_generation(tx, generation)? {
            return Ok(0);
        }
        let mut indexes = Vec::with_capacity(ROWS_PER_TRANSACTION);
        tx.scan_each(
            SUBJECTS,
            (generation, 0)..=(generation, u64::MAX),
            |(_, index), _| {
                indexes.push(index);
                let full = indexes.len() == ROWS_PER_TRANSACTION;
                Ok::<_, StoreError>(if full {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            },
        )?;
        for index in &indexes {
            tx.remove(SUBJECTS, (generation, *index))?;
        }
        Ok(indexes.len())
    })
}
