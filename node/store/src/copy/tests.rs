use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use redb::ReadableDatabase as _;
use tempfile::TempDir;

use super::*;
use crate::ledger::check::LedgerCheck;
use crate::{LedgerEvent, LedgerFault, LedgerVerifier, Operation, Store, StoreConfig};

const TEXTS: Table<&str, String> = Table::new("texts");
const PAIRS: Table<(&str, u64), u64> = Table::new("pairs");
const TRIPLES: Table<(&str, &str, u64), u64> = Table::new("triples");
const BYTES: Table<&[u8], u64> = Table::new("bytes");
const FIXED: Table<&[u8; 4], u64> = Table::new("fixed");
const UNUSED: Table<u64, u64> = Table::new("unused");
const ALL: [AnyTable; 6] = [
    TEXTS.any(),
    PAIRS.any(),
    TRIPLES.any(),
    BYTES.any(),
    FIXED.any(),
    UNUSED.any(),
];

fn config(schema: u32) -> StoreConfig {
    StoreConfig {
        node_name: "north".to_owned(),
        signing_key: SigningKey::from_bytes(&[1; 32]),
        retired_keys: Vec::new(),
        schema,
        migrations: &[],
        now_unix_s: 1_700_000_000,
    }
}

fn verifier(seed: u8) -> LedgerVerifier {
    LedgerVerifier {
        node_name: "north".to_owned(),
        keys: vec![SigningKey::from_bytes(&[seed; 32]).verifying_key()],
    }
}

fn event(name: &str) -> LedgerEvent {
    LedgerEvent::new(1_700_000_001, Operation::Admin, name)
}

fn filled(dir: &Path) -> Store {
    let store = Store::open(dir, config(3)).unwrap();
    store
        .write::<_, StoreError>(|tx| {
            tx.put(TEXTS, "a", &"one".to_owned())?;
            tx.put(PAIRS, ("a", 7), &1)?;
            tx.put(PAIRS, ("a", u64::MAX), &2)?;
            tx.put(TRIPLES, ("a", "", 0), &3)?;
            tx.put(BYTES, &[0, 255][..], &4)?;
            tx.put(FIXED, &[1, 2, 3, 4], &5)?;
            tx.append_ledger(event("one"))?;
            tx.append_ledger(event("two"))
        })
        .unwrap();
    store
}

type Rows = Vec<(&'static str, Value, Vec<u8>)>;

fn rows(tx: &ReadTx) -> Rows {
    let mut rows = Vec::new();
    for table in ALL {
        tx.export::<StoreError>(table, |key, value| {
            rows.push((table.name(), key, value.to_vec()));
            Ok(())
        })
        .unwrap();
    }
    rows
}

fn copy(tx: &ReadTx, dir: &Path) -> Result<(), StoreError> {
    let mut import = StoreImport::begin(dir)?;
    for (name, key, value) in rows(tx) {
        let table = ALL.into_iter().find(|table| table.name() == name).unwrap();
        import.row(table, &key, &value)?;
    }
    let ledger = tx.ledger()?;
    for seq in 0..ledger.size() {
        import.ledger_entry(&ledger.leaf_bytes(seq)?)?;
        if let Some(note) = ledger.checkpoint_at(seq + 1)? {
            import.ledger_checkpoint(&note)?;
        }
    }
    import.finish(tx.schema()?)
}

#[test]
fn a_copy_is_the_store_with_its_ledger_and_goes_on_as_one() {
    let parent = TempDir::new().unwrap();
    let store = filled(&parent.path().join("old"));
    let tx = store.read().unwrap();
    let new = parent.path().join("new");
    copy(&tx, &new).unwrap();

    let copied = Store::open(&new, config(3)).unwrap();
    let copied_tx = copied.read().unwrap();
    assert_eq!(rows(&copied_tx), rows(&tx));
    assert_eq!(copied_tx.table_names().unwrap(), tx.table_names().unwrap());
    assert_eq!(
        tx.table_names().unwrap(),
        ["bytes", "fixed", "pairs", "texts", "triples"],
        "those that something was written to"
    );
    assert_eq!(
        copied.verify_ledger(&[]).unwrap(),
        store.verify_ledger(&[]).unwrap()
    );
    copied
        .write::<_, StoreError>(|tx| tx.append_ledger(event("three")))
        .unwrap();
    assert_eq!(copied.verify_ledger(&[]).unwrap().entries, 4);
}

#[test]
fn a_copy_is_of_one_moment_whatever_is_written_meanwhile() {
    let parent = TempDir::new().unwrap();
    let store = filled(&parent.path().join("old"));
    let tx = store.read().unwrap();
    store
        .write::<_, StoreError>(|tx| {
            tx.put(TEXTS, "b", &"later".to_owned())?;
            tx.append_ledger(event("later"))
        })
        .unwrap();
    let new = parent.path().join("new");
    copy(&tx, &new).unwrap();
    let copied = Store::open(&new, config(3)).unwrap();
    let later: Option<String> = copied.read().unwrap().find(TEXTS, "b").unwrap();
    assert_eq!(later, None);
    assert_eq!(copied.verify_ledger(&[]).unwrap().entries, 3);
}

#[test]
fn an_import_that_is_not_finished_is_no_store() {
    let parent = TempDir::new().unwrap();
    let new = parent.path().join("new");
    let mut import = StoreImport::begin(&new).unwrap();
    for number in 0..=ROWS_PER_TRANSACTION {
        let (key, value) = (Value::from(number), number.to_string());
        import.row(UNUSED.any(), &key, value.as_bytes()).unwrap();
    }
    drop(import);
    let opened = Store::open(&new, config(3)).err().unwrap();
    assert!(matches!(opened, StoreError::NotAStore { .. }), "{opened}");
}

#[test]
fn an_import_replaces_nothing() {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("old");
    drop(filled(&dir));
    let refused = StoreImport::begin(&dir).err().unwrap();
    assert!(matches!(refused, StoreError::BadCopy { .. }));

    let mut import = StoreImport::begin(&parent.path().join("new")).unwrap();
    let key = Value::from("a");
    import.row(TEXTS.any(), &key, b"\"one\"").unwrap();
    let twice = import.row(TEXTS.any(), &key, b"\"two\"").unwrap_err();
    assert!(matches!(twice, StoreError::BadCopy { .. }));
    let foreign = import.row(PAIRS.any(), &key, b"1").unwrap_err();
    assert!(matches!(foreign, StoreError::BadCopy { .. }));
}

/// Feeds a ledger with something changed.
fn checked(
    store: &Store,
    seed: u8,
    change: impl Fn(u64, &mut Vec<u8>) -> bool,
) -> Result<u64, LedgerFault> {
    let ledger = store.read().unwrap().ledger().unwrap();
    let mut check = LedgerCheck::new(verifier(seed));
    for seq in 0..ledger.size() {
        let mut leaf = ledger.leaf_bytes(seq).unwrap();
        if change(seq, &mut leaf) {
            check.entry(&leaf)?;
        }
        if let Some(note) = ledger.checkpoint_at(seq + 1).unwrap() {
            check.checkpoint(&note)?;
        }
    }
    check.finish().map(|report| report.entries)
}

#[test]
fn a_ledger_read_entry_by_entry_is_checked_as_one_in_a_database() {
    let parent = TempDir::new().unwrap();
    let store = filled(&parent.path().join("old"));
    assert_eq!(checked(&store, 1, |_, _| true).unwrap(), 3);
    checked(&store, 2, |_, _| true).unwrap_err();
    for entry in 0..3 {
        checked(&store, 1, |seq, _| seq != entry).unwrap_err();
        let altered = checked(&store, 1, |seq, leaf| {
            if seq == entry {
                // A digit of the salt: the entry stays readable.
                let digit = leaf.len() - 3;
                leaf[digit] = if leaf[digit] == b'0' { b'1' } else { b'0' };
            }
            true
        });
        assert!(matches!(
            altered.unwrap_err(),
            LedgerFault::RootMismatch { .. }
        ));
    }
    let ledger = store.read().unwrap().ledger().unwrap();
    let mut unsigned = LedgerCheck::new(verifier(1));
    unsigned.entry(&ledger.leaf_bytes(0).unwrap()).unwrap();
    assert!(matches!(
        unsigned.finish(),
        Err(LedgerFault::Unsigned { seq: 0 })
    ));
    LedgerCheck::new(verifier(1)).finish().unwrap_err();
}

proptest! {
    #[test]
    fn a_key_comes_back_from_json_as_it_was(
        text in ".*", other in ".*", number: u64, bytes: Vec<u8>, fixed: [u8; 4], signed: i64
    ) {
        fn same<K: TableKey>(owned: &K::Owned) -> bool
        where
            K::Owned: PartialEq,
        {
            let json = serde_json::to_string(&K::key_to_json(owned)).unwrap();
            K::key_from_json(&serde_json::from_str(&json).unwrap()).as_ref() == Some(owned)
        }
        prop_assert!(same::<&str>(&text));
        prop_assert!(same::<u64>(&number));
        prop_assert!(same::<i64>(&signed));
        prop_assert!(same::<&[u8]>(&bytes));
        prop_assert!(same::<&[u8; 4]>(&fixed));
        prop_assert!(same::<(&str, u64)>(&(text.clone(), number)));
        prop_assert!(same::<(&str, &str, u64)>(&(text, other, number)));
    }
}

#[test]
fn the_tables_of_the_store_itself_are_not_among_the_callers() {
    let parent = TempDir::new().unwrap();
    let store = filled(&parent.path().join("old"));
    let tx = store.read().unwrap();
    assert!(
        tx.table_names()
            .unwrap()
            .iter()
            .all(|name| !name.starts_with('_'))
    );
    drop((tx, store));
    let database = Database::open(parent.path().join("old").join(DATABASE_NAME)).unwrap();
    let own = database.begin_read().unwrap();
    assert_eq!(
        own.list_tables()
            .unwrap()
            .filter(|table| table.name().starts_with('_'))
            .count(),
        4,
        "each of them is copied by a step of its own"
    );
}
