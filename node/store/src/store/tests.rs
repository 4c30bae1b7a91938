use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use proptest::prelude::*;
use redb::TableDefinition;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::*;
use crate::tables::Table;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Decision {
    item: u64,
    reason: Option<String>,
}

const DECISIONS: Table<(&str, u64), Decision> = Table::new("decisions");
const NUMBERS: Table<u64, u64> = Table::new("numbers");
const NAMES: Table<&str, String> = Table::new("names");

fn config() -> StoreConfig {
    StoreConfig {
        node_name: "north".to_owned(),
        signing_key: SigningKey::from_bytes(&[1; 32]),
        retired_keys: Vec::new(),
        schema: 1,
        migrations: &[],
        now_unix_s: 1_700_000_000,
    }
}

/// A new directory below a temporary one, not yet created, as on a first start.
fn new_dir() -> (TempDir, PathBuf) {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("node");
    (parent, dir)
}

fn event(name: &str) -> LedgerEvent {
    LedgerEvent::new(1_700_000_001, crate::Operation::Admin, name)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_new_store_is_closed_to_other_accounts() {
    let (_parent, dir) = new_dir();
    let store = Store::open(&dir, config()).unwrap();
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join("store.redb")), 0o600);
    assert_eq!(mode(&store.runs_dir()), 0o700);
}

#[test]
fn a_directory_or_file_open_to_others_is_refused_with_the_remedy() {
    let (_parent, dir) = new_dir();
    drop(Store::open(&dir, config()).unwrap());
    let file = dir.join("store.redb");
    for bit in [0o040, 0o020, 0o010, 0o004, 0o002, 0o001] {
        for (path, good) in [(&dir, 0o700), (&file, 0o600)] {
            set_mode(path, good | bit);
            let refused = Store::open(&dir, config()).err().unwrap();
            assert!(
                matches!(refused, StoreError::OpenToOthers { .. }),
                "{bit:o}"
            );
            assert!(
                refused.to_string().contains(&format!("chmod {good:o}")),
                "{refused}"
            );
            set_mode(path, good);
        }
    }
    Store::open(&dir, config()).unwrap();
}

#[test]
fn a_database_behind_a_link_or_a_file_as_directory_is_refused() {
    let (parent, dir) = new_dir();
    drop(Store::open(&dir, config()).unwrap());
    let elsewhere = parent.path().join("elsewhere");
    fs::rename(dir.join("store.redb"), &elsewhere).unwrap();
    symlink(&elsewhere, dir.join("store.redb")).unwrap();
    assert!(matches!(
        Store::open(&dir, config()).err(),
        Some(StoreError::Io { .. })
    ));
    assert!(Store::open(&elsewhere, config()).is_err());
}

#[test]
fn a_second_store_on_the_directory_is_refused_until_the_first_is_closed() {
    let (_parent, dir) = new_dir();
    let first = Store::open(&dir, config()).unwrap();
    let refused = Store::open(&dir, config()).err().unwrap();
    assert!(matches!(refused, StoreError::InUse { .. }));
    assert!(refused.to_string().contains("control socket"));
    drop(first);
    Store::open(&dir, config()).unwrap();
}

/// The test runs itself as a second process, told by this variable which directory to open.
const CHILD_DIR: &str = "MANDORLA_STORE_TEST_DIR";

#[test]
fn a_second_process_on_the_directory_is_refused() {
    if let Some(dir) = std::env::var_os(CHILD_DIR) {
        let in_use = matches!(
            Store::open(Path::new(&dir), config()).err(),
            Some(StoreError::InUse { .. })
        );
        std::process::exit(if in_use { 42 } else { 43 });
    }
    let (_parent, dir) = new_dir();
    let status_of_other_process = || {
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "store::tests::a_second_process_on_the_directory_is_refused",
            ])
            .env(CHILD_DIR, &dir)
            .output()
            .unwrap()
            .status
            .code()
    };
    let store = Store::open(&dir, config()).unwrap();
    assert_eq!(status_of_other_process(), Some(42));
    drop(store);
    assert_eq!(status_of_other_process(), Some(43));
}

#[test]
fn what_is_written_is_read_back_also_after_reopening() {
    let (_parent, dir) = new_dir();
    let decision = |item| Decision {
        item,
        reason: (item % 2 == 0).then(|| "no clause".into()),
    };
    {
        let store = Store::open(&dir, config()).unwrap();
        assert_eq!(
            store.read().unwrap().find(DECISIONS, ("r1", 3)).unwrap(),
            None
        );
        assert_eq!(store.read().unwrap().scan_all(DECISIONS).unwrap(), []);
        let seqs = store.write(|tx| {
            for item in 0..5 {
                tx.put(DECISIONS, ("r1", item), &decision(item))?;
            }
            tx.put(DECISIONS, ("r2", 0), &decision(9))?;
            assert!(tx.remove(DECISIONS, ("r1", 4))?);
            assert!(!tx.remove(DECISIONS, ("r1", 4))?);
            assert_eq!(tx.find(DECISIONS, ("r1", 3))?, Some(decision(3)));
            Ok::<_, StoreError>([tx.append_ledger(event("a"))?, tx.append_ledger(event("b"))?])
        });
        assert_eq!(seqs.unwrap(), [1, 2]);
    }
    let store = Store::open(&dir, config()).unwrap();
    let tx = store.read().unwrap();
    assert_eq!(tx.find(DECISIONS, ("r2", 0)).unwrap(), Some(decision(9)));
    let rows = tx.scan(DECISIONS, ("r1", 2)..("r2", 0)).unwrap();
    let expected = [
        (("r1".to_owned(), 2), decision(2)),
        (("r1".to_owned(), 3), decision(3)),
    ];
    assert_eq!(rows, expected);
    assert_eq!(tx.scan_all(DECISIONS).unwrap().len(), 5);
    let mut visited = 0;
    tx.scan_each(DECISIONS, ("r1", 0).., |(_, item), value| {
        visited += 1;
        assert_eq!(value.item, item);
        let flow = if item == 1 {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        };
        Ok::<_, StoreError>(flow)
    })
    .unwrap();
    assert_eq!(visited, 2);
}

#[test]
fn a_reader_keeps_its_view_while_others_write() {
    let (_parent, dir) = new_dir();
    let store = Store::open(&dir, config()).unwrap();
    let put = |value: u64| {
        store.write(|tx| {
            tx.put(NUMBERS, 1, &value)?;
            tx.append_ledger(event("set"))
        })
    };
    put(10).unwrap();
    let before = store.read().unwrap();
    put(20).unwrap();
    assert_eq!(before.find(NUMBERS, 1).unwrap(), Some(10));
    assert_eq!(before.ledger().unwrap().size(), 2);
    assert_eq!(store.read().unwrap().find(NUMBERS, 1).unwrap(), Some(20));
}

#[test]
fn a_change_without_a_ledger_entry_is_not_committed() {
    let (_parent, dir) = new_dir();
    let store = Store::open(&dir, config()).unwrap();
    let refused = store.write(|tx| tx.put(NUMBERS, 1, &1));
    assert!(matches!(refused, Err(StoreError::NothingLogged)));
    assert_eq!(store.read().unwrap().find(NUMBERS, 1).unwrap(), None);
    store.write_unlogged(|tx| tx.put(NUMBERS, 1, &1)).unwrap();
    assert_eq!(store.read().unwrap().find(NUMBERS, 1).unwrap(), Some(1));
    assert_eq!(store.read().unwrap().ledger().unwrap().size(), 1);
}

#[test]
fn a_failed_change_leaves_neither_data_nor_ledger_entry() {
    let (_parent, dir) = new_dir();
    let store = Store::open(&dir, config()).unwrap();
    let refused: Result<(), StoreError> = store.write(|tx| {
        tx.put(NUMBERS, 1, &1)?;
        tx.append_ledger(event("set"))?;
        Err(StoreError::NotAStore { what: "permission" })
    });
    assert!(matches!(
        refused,
        Err(StoreError::NotAStore { what: "permission" })
    ));
    let tx = store.read().unwrap();
    assert_eq!(tx.find(NUMBERS, 1).unwrap(), None);
    assert_eq!(tx.ledger().unwrap().size(), 1);
}

#[test]
fn an_ignored_ledger_error_still_stops_the_commit() {
    let (_parent, dir) = new_dir();
    let store = Store::open(&dir, config()).unwrap();
    let long = "x".repeat(crate::LEDGER_LEAF_BYTES_MAX);
    let refused = store.write(|tx| {
        tx.append_ledger(event("first"))?;
        let error = tx.append_ledger(event("second").detail("text", long)).err();
        assert!(matches!(error, Some(StoreError::EntryTooLong { .. })));
        // The transaction stays broken, whatever else is tried.
        let third = tx.append_ledger(event("third")).err();
        assert!(matches!(third, Some(StoreError::BrokenTransaction)));
        tx.put(NUMBERS, 1, &1)
    });
    assert!(matches!(refused, Err(StoreError::BrokenTransaction)));
    let unlogged = store.write_unlogged(|tx| {
        let _ = tx.append_ledger(event("second").detail("text", "x".repeat(70_000)));
        tx.put(NUMBERS, 1, &1)
    });
    assert!(matches!(unlogged, Err(StoreError::BrokenTransaction)));
    assert_eq!(store.read().unwrap().find(NUMBERS, 1).unwrap(), None);
    assert_eq!(store.verify_ledger(&[]).unwrap().entries, 1);
}

#[test]
fn an_unreadable_value_is_reported_without_being_quoted() {
    const AS_TEXT: Table<u64, String> = Table::new("numbers");
    let (_parent, dir) = new_dir();
    let store = Store::open(&dir, config()).unwrap();
    store
        .write_unlogged(|tx| tx.put(AS_TEXT, 1, &"Jane Doe".to_owned()))
        .unwrap();
    let error = store.read().unwrap().find(NUMBERS, 1).unwrap_err();
    assert!(matches!(
        error,
        StoreError::Decode {
            table: "numbers",
            ..
        }
    ));
    assert!(!format!("{error} {error:?}").contains("Jane"));
}

#[test]
fn leftover_run_files_are_removed_on_opening() {
    let (_parent, dir) = new_dir();
    let runs = Store::open(&dir, config()).unwrap().runs_dir();
    let leftover = runs.join("cells.tmp-0123456789abcdef");
    fs::write(&leftover, "half").unwrap();
    Store::open(&dir, config()).unwrap();
    assert!(!leftover.exists());
}

// The migrations: version 0 kept a plain number, 1 keeps text, 2 renames the table.
const OLD: Table<u64, u64> = Table::new("cases");
const MIDDLE: Table<u64, String> = Table::new("cases");
const NEW: Table<u64, String> = Table::new("matters");

const MIGRATIONS: &[Migration] = &[
    Migration {
        from: 0,
        to: 1,
        apply: |tx| {
            for (key, number) in tx.scan_all(OLD)? {
                tx.put(MIDDLE, key, &format!("case {number}"))?;
            }
            Ok(())
        },
    },
    Migration {
        from: 1,
        to: 2,
        apply: |tx| tx.rename_table(MIDDLE, NEW),
    },
];

fn version_0(dir: &Path) {
    let store = Store::open(
        dir,
        StoreConfig {
            schema: 0,
            ..config()
        },
    )
    .unwrap();
    store
        .write_unlogged(|tx| (1..4).try_for_each(|n| tx.put(OLD, n, &(n * 100))))
        .unwrap();
}

#[test]
fn an_older_file_is_migrated_step_by_step_and_the_ledger_says_so() {
    let (_parent, dir) = new_dir();
    version_0(&dir);
    for _ in 0..2 {
        let new = StoreConfig {
            schema: 2,
            migrations: MIGRATIONS,
            ..config()
        };
        let store = Store::open(&dir, new).unwrap();
        let tx = store.read().unwrap();
        assert_eq!(tx.find(NEW, 2).unwrap().as_deref(), Some("case 200"));
        assert_eq!(tx.scan_all(NEW).unwrap().len(), 3);
        let events = tx.ledger().unwrap().entries(0..9).unwrap();
        let names: Vec<&str> = events.iter().map(|entry| entry.event.as_str()).collect();
        assert_eq!(names, ["store.created", "store.migrated", "store.migrated"]);
        assert_eq!(store.verify_ledger(&[]).unwrap().entries, 3);
    }
    let refused = Store::open(
        &dir,
        StoreConfig {
            schema: 1,
            migrations: MIGRATIONS,
            ..config()
        },
    );
    let newer = StoreError::NewerSchema {
        found: 2,
        supported: 1,
    };
    assert_eq!(refused.err().unwrap().to_string(), newer.to_string());
}

#[test]
fn a_migration_that_fails_leaves_the_file_as_it_was() {
    const FAILING: &[Migration] = &[
        MIGRATIONS[0],
        Migration {
            from: 1,
            to: 2,
            apply: |_| Err(StoreError::NotAStore { what: "luck" }),
        },
    ];
    let (_parent, dir) = new_dir();
    version_0(&dir);
    let refused = Store::open(
        &dir,
        StoreConfig {
            schema: 2,
            migrations: FAILING,
            ..config()
        },
    );
    assert!(matches!(
        refused.err(),
        Some(StoreError::NotAStore { what: "luck" })
    ));
    let unknown = Store::open(
        &dir,
        StoreConfig {
            schema: 3,
            migrations: MIGRATIONS,
            ..config()
        },
    );
    assert!(matches!(
        unknown.err(),
        Some(StoreError::NoMigration { from: 2, to: 3 })
    ));
    let store = Store::open(
        &dir,
        StoreConfig {
            schema: 0,
            ..config()
        },
    )
    .unwrap();
    assert_eq!(store.read().unwrap().find(OLD, 2).unwrap(), Some(200));
    assert_eq!(store.verify_ledger(&[]).unwrap().entries, 1);
}

#[test]
fn a_database_of_another_program_is_refused() {
    let (_parent, dir) = new_dir();
    drop(Store::open(&dir, config()).unwrap());
    fs::remove_file(dir.join("store.redb")).unwrap();
    let other = redb::Database::create(dir.join("store.redb")).unwrap();
    let tx = other.begin_write().unwrap();
    tx.open_table(TableDefinition::<u64, u64>::new("theirs"))
        .unwrap();
    tx.commit().unwrap();
    drop(other);
    set_mode(&dir.join("store.redb"), 0o600);
    assert!(matches!(
        Store::open(&dir, config()).err(),
        Some(StoreError::NotAStore { .. })
    ));
}

#[test]
fn a_process_that_dies_keeps_what_it_committed_and_nothing_else() {
    if let Some(dir) = std::env::var_os(CHILD_DIR) {
        let store = Store::open(Path::new(&dir), config()).unwrap();
        let put = |tx: &WriteTx<'_>, value: u64| {
            tx.put(NUMBERS, value, &value)?;
            tx.append_ledger(event("set"))
        };
        store.write(|tx| put(tx, 1)).unwrap();
        let runs = store.runs_dir();
        let order = crate::run_file::RunOrder::Unsorted;
        let kind = crate::run_file::RunKind(1);
        let _run = crate::run_file::RunWriter::create(&runs, "run", kind, 4, order).unwrap();
        let _: Result<u64, StoreError> = store.write(|tx| {
            put(tx, 2)?;
            std::process::abort()
        });
    }
    let (_parent, dir) = new_dir();
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::tests::a_process_that_dies_keeps_what_it_committed_and_nothing_else",
        ])
        .env(CHILD_DIR, &dir)
        .output()
        .unwrap()
        .status;
    assert_eq!(
        status.signal(),
        Some(rustix::process::Signal::ABORT.as_raw())
    );
    let store = Store::open(&dir, config()).unwrap();
    assert_eq!(store.read().unwrap().scan_all(NUMBERS).unwrap(), [(1, 1)]);
    assert_eq!(store.verify_ledger(&[]).unwrap().entries, 2);
    assert_eq!(fs::read_dir(store.runs_dir()).unwrap().count(), 0);
}

#[test]
fn writers_in_many_threads_take_turns() {
    let (_parent, dir) = new_dir();
    let store = Store::open(&dir, config()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let seq = store.write(|tx| {
                        let count = tx.find(NUMBERS, 0)?.unwrap_or(0);
                        tx.put(NUMBERS, 0, &(count + 1))?;
                        tx.append_ledger(event("counted"))
                    });
                    seq.unwrap_or_else(|error: StoreError| panic!("{error}"));
                }
            });
        }
    });
    assert_eq!(store.read().unwrap().find(NUMBERS, 0).unwrap(), Some(20));
    assert_eq!(store.verify_ledger(&[]).unwrap().entries, 21);
}

#[test]
fn a_node_name_that_cannot_sign_creates_no_store() {
    let (_parent, dir) = new_dir();
    let refused = Store::open(
        &dir,
        StoreConfig {
            node_name: "north border".into(),
            ..config()
        },
    );
    assert!(matches!(refused.err(), Some(StoreError::Checkpoint(_))));
    Store::open(&dir, config()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_store_agrees_with_a_map(
        steps in prop::collection::vec(("[a-c]{0,2}", prop::option::of("[a-z\"\\\\\u{0}é]{0,5}")), 1..25),
    ) {
        let (_parent, dir) = new_dir();
        let mut model = std::collections::BTreeMap::new();
        let store = Store::open(&dir, config()).unwrap();
        for (key, value) in steps {
            store.write_unlogged(|tx| match &value {
                Some(value) => tx.put(NAMES, key.as_str(), value),
                None => tx.remove(NAMES, key.as_str()).map(|was| assert_eq!(was, model.contains_key(&key))),
            }).unwrap();
            match value {
                Some(value) => model.insert(key, value),
                None => model.remove(&key),
            };
            let rows = store.read().unwrap().scan_all(NAMES).unwrap();
            prop_assert_eq!(rows, model.clone().into_iter().collect::<Vec<_>>());
        }
    }
}

#[test]
fn compacting_gives_back_what_was_removed_and_waits_for_no_reader() {
    let (_parent, dir) = new_dir();
    let store = Store::open(&dir, config()).unwrap();
    let size = || fs::metadata(dir.join("store.redb")).unwrap().len();
    let row = "x".repeat(1_000);
    for batch in 0..20 {
        let many =
            |tx: &WriteTx<'_>| (0..1_000).try_for_each(|n| tx.put(ROWS, batch * 1_000 + n, &row));
        store.write_unlogged(many).unwrap();
    }
    let full = size();
    assert!(full > 20_000_000, "{full}");
    for batch in 0..20 {
        let none = |tx: &WriteTx<'_>| {
            (0..1_000).try_for_each(|n| tx.remove(ROWS, batch * 1_000 + n).map(drop))
        };
        store.write_unlogged(none).unwrap();
    }
    let reader = store.read().unwrap();
    assert!(!store.try_compact().unwrap(), "somebody reads");
    drop(reader);
    assert!(store.try_compact().unwrap());
    assert!(size() < full / 4, "{} of {full}", size());
    store.write(|tx| tx.append_ledger(event("later"))).unwrap();
    store.verify_ledger(&[]).unwrap();
    drop(store);
    Store::open(&dir, config())
        .unwrap()
        .verify_ledger(&[])
        .unwrap();
}

const ROWS: Table<u64, String> = Table::new("rows");
