//! What is in a backup, table by table, and what is left out.
//!
//! A table of the node that does not stand here is an error, found by a test and by every backup: nothing is left out
//! by being forgotten.

use std::collections::HashSet;

use mandorla_control::BackupGap;
use mandorla_store::{AnyTable, ReadTx, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::CONFIG_NAME;
use crate::datasets::GENERATIONS;
use crate::pseudonym::PSEUDONYM_KEY_NAME;
use crate::records::agreement::AGREEMENTS;
use crate::records::dataset::{DATASETS, SUBJECTS};
use crate::records::disclosure::{DISCLOSURES, REASONS};
use crate::records::hit::{HIT_ROUNDS, HITS, HitRecord, RELEASED};
use crate::records::key::SUCCESSIONS;
use crate::records::pair::{PAIR_LEAVES, PAIR_LOGS, PAIR_PENDING};
use crate::records::peer::PEERS;
use crate::records::quota::{EVALUATIONS, SPENT};
use crate::records::round::{
    ANSWERS, AnswerRecord, CHUNKS, ROUNDS, ROUNDS_BY_WIRE, RoundRecord, Side,
};

/// One moment of the store.
pub(super) struct Snapshot {
    pub(super) tx: ReadTx,
    /// Rounds that are not over.
    pub(super) open: HashSet<String>,
}

/// The row as it stands in the backup; `None` if it does not.
type Filter = fn(&Snapshot, &Value, &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

/// How a table is backed up.
pub(super) enum Treatment {
    /// Every row as it is.
    Whole,
    /// Without what is secret, or belongs to a round that cannot go on.
    Filtered(Filter),
}

/// A table in a backup.
pub(super) struct Content {
    pub(super) table: AnyTable,
    pub(super) treatment: Treatment,
}

const fn whole(table: AnyTable) -> Content {
    Content {
        table,
        treatment: Treatment::Whole,
    }
}

const fn filtered(table: AnyTable, filter: Filter) -> Content {
    Content {
        table,
        treatment: Treatment::Filtered(filter),
    }
}

/// Every table in a backup, in the order of the file.
pub(super) const CONTENTS: &[Content] = &[
    whole(PEERS.any()),
    whole(SUCCESSIONS.any()),
    whole(AGREEMENTS.any()),
    whole(DATASETS.any()),
    whole(GENERATIONS.any()),
    whole(SUBJECTS.any()),
    whole(EVALUATIONS.any()),
    whole(SPENT.any()),
    filtered(ROUNDS.any(), round),
    whole(ROUNDS_BY_WIRE.any()),
    whole(CHUNKS.any()),
    filtered(HITS.any(), hit),
    filtered(HIT_ROUNDS.any(), hit_round),
    whole(RELEASED.any()),
    filtered(ANSWERS.any(), answer),
    whole(PAIR_LOGS.any()),
    whole(PAIR_LEAVES.any()),
    whole(PAIR_PENDING.any()),
    whole(DISCLOSURES.any()),
    whole(REASONS.any()),
];

/// Files of the data directory in a backup. The key of the pseudonyms lets nobody be the node, and without it earlier
/// disclosures of a person could not be found any more.
pub(super) const FILES: &[&str] = &[CONFIG_NAME, PSEUDONYM_KEY_NAME];

/// The file of this name in a backup.
pub(super) fn file(name: &str) -> Option<&'static str> {
    FILES.iter().copied().find(|known| *known == name)
}

/// Tables that are not in a backup, each with the reason. A table that holds secrets, or that only the running node
/// needs, goes here.
pub(super) const LEFT_OUT: &[(AnyTable, &str)] = &[];

/// What is not in a backup beside tables.
const GAPS: &[(&str, &str)] = &[
    (
        "the node's keys (keys.toml)",
        "who has them speaks for the node: their copy is kept apart from the data",
    ),
    (
        "the auditor's private key (auditor.key)",
        "it belongs to the auditor; seeds sealed to it are in the backup and stay sealed",
    ),
    (
        "seeds, hit keys and run files of open rounds",
        "they are secret; a round that is open now cannot go on after a restore",
    ),
    (
        "hits that were not released, and answers that were not served",
        "they belong to open rounds and are erased when a round closes",
    ),
];

/// Everything that is left out, and why.
pub(super) fn gaps() -> Vec<BackupGap> {
    let tables = LEFT_OUT
        .iter()
        .map(|(table, why)| (format!("table {}", table.name()), *why));
    let gaps = GAPS.iter().map(|(what, why)| ((*what).to_owned(), *why));
    gaps.chain(tables)
        .map(|(what, why)| BackupGap {
            what,
            why: why.to_owned(),
        })
        .collect()
}

/// The table of this name in a backup.
pub(super) fn table(name: &str) -> Option<AnyTable> {
    let tables = CONTENTS.iter().map(|content| content.table);
    tables.into_iter().find(|table| table.name() == name)
}

/// Whether a backup knows what to do with a table.
pub(super) fn is_known(name: &str) -> bool {
    table(name).is_some() || LEFT_OUT.iter().any(|(table, _)| table.name() == name)
}

/// The state of the machine holds seeds, numbers and the approved question.
fn round(_: &Snapshot, _: &Value, value: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let mut record: RoundRecord = read(value)?;
    record.machine = None;
    write(&record).map(Some)
}

/// A released hit, as it stays after the close: without hit keys, match keys and the sealed place.
fn hit(_: &Snapshot, _: &Value, value: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let mut record: HitRecord = read(value)?;
    record.agreed.clear();
    match &mut record.decision {
        Some(decision) if decision.slot.is_some() => decision.place = None,
        _ => return Ok(None),
    }
    write(&record).map(Some)
}

fn hit_round(at: &Snapshot, key: &Value, value: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let round: String = read(value)?;
    let id = key.as_str().ok_or_else(damaged)?;
    let hit = at.tx.find(HITS, (round.as_str(), id))?;
    let released = hit.is_some_and(|hit| hit.decision.is_some_and(|one| one.slot.is_some()));
    Ok(released.then(|| value.to_vec()))
}

/// Of an open round, an answer whose receipt the peer has given, or whose items were opened here.
fn answer(at: &Snapshot, key: &Value, value: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let round = key.get(0).and_then(Value::as_str).ok_or_else(damaged)?;
    if at.open.contains(round) {
        let record: AnswerRecord = read(value)?;
        let side = at.tx.find(ROUNDS, round)?.ok_or_else(damaged)?.side;
        let served = match side {
            Side::Responder => record.receipt.is_some(),
            Side::Requester => record.opened,
        };
        if !served {
            return Ok(None);
        }
    }
    Ok(Some(value.to_vec()))
}

fn read<T: DeserializeOwned>(value: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(value).map_err(|_| damaged())
}

fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|_| damaged())
}

fn damaged() -> StoreError {
    StoreError::NotAStore {
        what: "readable row where a backup reads it",
    }
}
