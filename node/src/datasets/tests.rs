//! Generations: whole loads, broken ones, and rows that an open round still reads.

use std::fmt::Write as _;
use std::io::{self, Read};

use mandorla_control::{DatasetLoad, Role};
use mandorla_linkage::Subject;
use mandorla_store::StoreError;

use super::load::load;
use super::rows::{NewRows, ROWS_PER_TRANSACTION};
use super::{find, for_each_subject, subject, sweep};
use crate::node::{Caller, Node};
use crate::records::dataset::SUBJECTS;
use crate::records::round::{ROUNDS, RoundRecord, RoundState};
use crate::test_node::node;

/// More than two transactions' worth.
const MANY: u64 = 2 * ROWS_PER_TRANSACTION as u64 + 7;

fn list(rows: u64) -> String {
    let mut file = "id,name\n".to_owned();
    for row in 0..rows {
        writeln!(file, "{row},Name{row}").unwrap();
    }
    file
}

fn load_from(node: &Node, file: impl Read) -> Result<(), mandorla_control::ApiError> {
    let caller = Caller {
        name: "olga".into(),
        roles: vec![Role::Operator],
        uid: None,
    };
    let header = DatasetLoad {
        name: "list".into(),
        map: "[columns]\nref = \"id\"\nfamily_names = \"name\"\n".into(),
        dry_run: false,
    };
    load(node, &caller, &header, file).map(|_| ())
}

fn references(node: &Node, generation: u64, subjects: u64) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for_each_subject(node, generation, subjects, |_, subject| {
        found.push(subject.reference);
        Ok::<_, StoreError>(())
    })?;
    Ok(found)
}

fn rows(node: &Node) -> usize {
    node.store.read().unwrap().scan_all(SUBJECTS).unwrap().len()
}

/// The smallest record of a round that says which rows it reads.
fn round(generation: u64, state: RoundState) -> RoundRecord {
    serde_json::from_value(serde_json::json!({
        "id": "R-1", "side": "requester", "revision": 1, "state": state, "detail": "", "peer": "RS",
        "agreement": "A", "agreement_version": 1, "agreement_hash": "", "purpose": "P", "case_reference": null, "dataset": "list", "generation": generation,
        "peer_dataset": "registry", "subjects": 1, "proposed_by": null, "started_at": 0, "attempts": 0,
        "terms": null, "machine": null, "t0": null, "chunks_done": 0, "terms_logged": true, "evaluation_logged": false, "withdraw": null,
        "over_max_overlap": false, "places": [], "wire_sent": 0, "wire_received": 0
    }))
    .unwrap()
}

/// Gives what it has and then fails, as an upload that breaks off.
struct BreaksOff<'a>(&'a [u8]);

impl Read for BreaksOff<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 if !buffer.is_empty() => Err(io::ErrorKind::ConnectionAborted.into()),
            count => Ok(count),
        }
    }
}

#[test]
fn a_load_of_many_transactions_is_read_back_whole_and_in_order() {
    let (_dir, _, node) = node();
    load_from(&node, list(MANY).as_bytes()).unwrap();
    let record = find(&node, "list").unwrap();
    assert_eq!(record.subjects, MANY);
    let expected: Vec<String> = (0..MANY).map(|row| row.to_string()).collect();
    assert_eq!(
        references(&node, record.generation, record.subjects).unwrap(),
        expected
    );
    let last = subject(&node, record.generation, MANY - 1)
        .unwrap()
        .unwrap();
    assert_eq!(last.reference, (MANY - 1).to_string());
    assert!(subject(&node, record.generation, MANY).unwrap().is_none());
}

#[test]
fn a_load_that_breaks_off_leaves_the_old_rows_and_none_of_its_own() {
    let (_dir, _, node) = node();
    load_from(&node, list(3).as_bytes()).unwrap();
    let before = find(&node, "list").unwrap();
    load_from(&node, BreaksOff(list(MANY).as_bytes())).unwrap_err();
    let after = find(&node, "list").unwrap();
    assert_eq!(
        (after.generation, after.digest),
        (before.generation, before.digest)
    );
    assert_eq!(rows(&node), 3);
    assert_eq!(
        references(&node, before.generation, before.subjects).unwrap(),
        ["0", "1", "2"]
    );
}

#[test]
fn rows_that_a_crash_left_are_removed_and_their_generation_is_not_used_again() {
    let (_dir, _, node) = node();
    let mut crashed = NewRows::begin(&node).unwrap();
    let bytes = Subject::new("1").to_bytes();
    for _ in 0..ROWS_PER_TRANSACTION {
        crashed.push(&bytes).unwrap();
    }
    let generation = crashed.generation;
    drop(crashed);
    assert_eq!(rows(&node), ROWS_PER_TRANSACTION);
    sweep(&node).unwrap();
    assert_eq!(rows(&node), 0);
    load_from(&node, list(1).as_bytes()).unwrap();
    assert!(find(&node, "list").unwrap().generation > generation);
}

#[test]
fn an_open_round_keeps_the_rows_it_began_with_until_it_is_over() {
    let (_dir, _, node) = node();
    load_from(&node, list(2).as_bytes()).unwrap();
    let old = find(&node, "list").unwrap().generation;
    let put = |state| {
        let record = round(old, state);
        node.store
            .write_unlogged(|tx| tx.put(ROUNDS, "R-1", &record))
            .unwrap();
    };
    put(RoundState::AwaitingAnswers);
    load_from(&node, list(5).as_bytes()).unwrap();
    assert_eq!(references(&node, old, 2).unwrap(), ["0", "1"]);
    assert_eq!(rows(&node), 7);

    put(RoundState::Closed);
    sweep(&node).unwrap();
    assert_eq!(rows(&node), 5);
    assert!(
        matches!(references(&node, old, 2), Err(StoreError::NotAStore { .. })),
        "not an empty list"
    );
}

#[test]
fn a_missing_row_is_an_error_and_not_a_shorter_list() {
    let (_dir, _, node) = node();
    load_from(&node, list(3).as_bytes()).unwrap();
    let generation = find(&node, "list").unwrap().generation;
    node.store
        .write_unlogged(|tx| tx.remove(SUBJECTS, (generation, 1)))
        .unwrap();
    assert!(matches!(
        references(&node, generation, 3),
        Err(StoreError::NotAStore { .. })
    ));
}

#[test]
fn a_second_load_waits_for_nobody_and_is_told_so() {
    let (_dir, _, node) = node();
    let _busy = node.loading.lock().unwrap();
    let refused = load_from(&node, list(1).as_bytes()).unwrap_err();
    assert_eq!(refused.code, mandorla_control::ErrorCode::InUse);
    assert_eq!(rows(&node), 0);
}
