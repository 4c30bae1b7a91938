use std::path::PathBuf;

use mandorla_protocol::checkpoint::SignedNote;
use mandorla_protocol::merkle::{verify_consistency, verify_inclusion};
use redb::{Database, ReadableDatabase as _};
use tempfile::TempDir;

use super::proof::EntryProof;
use super::verify::{LedgerReport, verify_ledger_file};
use super::*;
use crate::store::{Store, StoreConfig};

const NOW: u64 = 1_700_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn config(signing_key: SigningKey, retired: &[SigningKey]) -> StoreConfig {
    StoreConfig {
        node_name: "north".to_owned(),
        signing_key,
        retired_keys: retired.iter().map(SigningKey::verifying_key).collect(),
        schema: 1,
        migrations: &[],
        now_unix_s: NOW,
    }
}

/// A store with entries 0 (its creation) to 6; entries 3 and 4 share a transaction.
struct World {
    _parent: TempDir,
    dir: PathBuf,
}

impl World {
    fn new() -> Self {
        let parent = TempDir::new().unwrap();
        let dir = parent.path().join("node");
        let world = Self {
            _parent: parent,
            dir,
        };
        let store = world.open().unwrap();
        for names in [
            &["one"][..],
            &["two"],
            &["three", "four"],
            &["five"],
            &["six"],
        ] {
            append(&store, names);
        }
        drop(store);
        world
    }

    fn open(&self) -> Result<Store, StoreError> {
        Store::open(&self.dir, config(key(1), &[]))
    }

    fn verify(&self, known: &[Checkpoint]) -> Result<LedgerReport, LedgerFault> {
        let verifier = LedgerVerifier {
            node_name: "north".to_owned(),
            keys: vec![key(1).verifying_key()],
        };
        verify_ledger_file(&self.dir, &verifier, known)
    }

    /// Edits the database as somebody would who has the file, but not the signing key.
    fn edit(&self, change: impl FnOnce(&WriteTransaction)) -> String {
        let database = Database::open(self.dir.join("store.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        change(&transaction);
        transaction.commit().unwrap();
        drop(database);
        self.verify(&[]).unwrap_err().to_string()
    }

    fn leaf(&self, seq: u64) -> Vec<u8> {
        let database = Database::open(self.dir.join("store.redb")).unwrap();
        let leaves = database.begin_read().unwrap().open_table(LEAVES).unwrap();
        leaves.get(seq).unwrap().unwrap().value().to_owned()
    }
}

fn append(store: &Store, names: &[&str]) {
    store
        .write(|tx| {
            names.iter().try_for_each(|name| {
                tx.append_ledger(LedgerEvent::new(NOW, Operation::Admin, *name))
                    .map(drop)
            })
        })
        .unwrap_or_else(|error: StoreError| panic!("{error}"));
}

fn put_leaf(tx: &WriteTransaction, seq: u64, leaf: &[u8]) {
    tx.open_table(LEAVES).unwrap().insert(seq, leaf).unwrap();
}

fn put_leaf_and_hash(tx: &WriteTransaction, seq: u64, leaf: &[u8]) {
    put_leaf(tx, seq, leaf);
    tx.open_table(HASHES)
        .unwrap()
        .insert(seq, &leaf_hash(leaf))
        .unwrap();
}

fn drop_entry(tx: &WriteTransaction, seq: u64) {
    tx.open_table(LEAVES).unwrap().remove(seq).unwrap();
    tx.open_table(HASHES).unwrap().remove(seq).unwrap();
}

fn put_frontier(tx: &WriteTransaction, frontier: &Frontier) {
    tx.open_table(META)
        .unwrap()
        .insert(FRONTIER_KEY, frontier.to_bytes().as_slice())
        .unwrap();
}

#[test]
fn an_untouched_ledger_verifies_with_one_checkpoint_per_transaction() {
    let world = World::new();
    let report = world.verify(&[]).unwrap();
    assert_eq!((report.entries, report.checkpoints), (7, 6));
    assert_eq!(world.open().unwrap().verify_ledger(&[]).unwrap(), report);
}

#[test]
fn an_entry_says_what_happened_and_has_a_fresh_salt() {
    let world = World::new();
    let store = world.open().unwrap();
    let event = LedgerEvent::new(NOW + 5, Operation::Disclosure, "item.refused")
        .by("officer-2", "authoriser")
        .agreement(AgreementRef {
            id: "north-south".to_owned(),
            version: 2,
            hash: "ab".repeat(32),
        })
        .round("r-17")
        .detail("item", 4)
        .detail("reason", "clause 7");
    let seq = store.write(|tx| tx.append_ledger(event.clone())).unwrap();
    store.write(|tx| tx.append_ledger(event.clone())).unwrap();
    let ledger = store.read().unwrap().ledger().unwrap();
    let [first, second] = [ledger.entry(seq).unwrap(), ledger.entry(seq + 1).unwrap()];
    assert_eq!(
        first,
        LedgerEntry::new(7, "north".to_owned(), event, first.salt)
    );
    assert_ne!(first.salt, second.salt);
    let json: Value = serde_json::from_slice(&ledger.leaf_bytes(seq).unwrap()).unwrap();
    assert_eq!(json["node"], "north");
    assert_eq!(json["operation"], "disclosure");
    assert_eq!(json["agreement"]["version"], 2);
    assert_eq!(json["detail"]["reason"], "clause 7");
    assert_eq!(json["salt"].as_str().unwrap().len(), 64);
    assert!(matches!(
        ledger.entry(9),
        Err(StoreError::OutsideLedger { wanted: 9, size: 9 })
    ));
}

#[test]
fn an_altered_entry_is_named() {
    for seq in 0..7 {
        let world = World::new();
        let mut leaf = world.leaf(seq);
        let digit = leaf.len() - 3;
        leaf[digit] = if leaf[digit] == b'0' { b'1' } else { b'0' };
        let fault = world.edit(|tx| put_leaf(tx, seq, &leaf));
        assert!(
            fault.starts_with(&format!("entry {seq} was altered")),
            "{fault}"
        );
    }
}

#[test]
fn an_entry_altered_together_with_its_hash_is_narrowed_to_its_transaction() {
    let world = World::new();
    let leaf = String::from_utf8(world.leaf(3))
        .unwrap()
        .replace("three", "forged");
    let fault = world.edit(|tx| put_leaf_and_hash(tx, 3, leaf.as_bytes()));
    assert!(
        fault.starts_with("entries 3 to 4 do not have the signed root"),
        "{fault}"
    );
    let leaf = String::from_utf8(world.leaf(3))
        .unwrap()
        .replace("forged", "three");
    let other = String::from_utf8(world.leaf(6))
        .unwrap()
        .replace("six", "forged");
    let fault = world.edit(|tx| {
        put_leaf_and_hash(tx, 3, leaf.as_bytes());
        put_leaf_and_hash(tx, 6, other.as_bytes());
    });
    assert!(
        fault.starts_with("entries 6 to 6 do not have the signed root"),
        "{fault}"
    );
}

#[test]
fn a_dropped_entry_is_named() {
    let world = World::new();
    let fault = world.edit(|tx| drop_entry(tx, 2));
    assert_eq!(fault, "entry 2 is missing");
}

#[test]
fn a_dropped_hash_or_a_surplus_one_is_named() {
    let world = World::new();
    let fault = world.edit(|tx| {
        tx.open_table(HASHES).unwrap().insert(7, &[0; 32]).unwrap();
    });
    assert_eq!(fault, "there is a hash for entry 7, which does not exist");
    let fault = world.edit(|tx| {
        tx.open_table(HASHES).unwrap().remove(4).unwrap();
    });
    assert!(fault.starts_with("entry 4 was altered"), "{fault}");
}

#[test]
fn reordered_entries_are_named() {
    let world = World::new();
    let (three, four) = (world.leaf(3), world.leaf(4));
    let fault = world.edit(|tx| {
        put_leaf_and_hash(tx, 3, &four);
        put_leaf_and_hash(tx, 4, &three);
    });
    assert_eq!(fault, "entry 3 claims to be entry 4");
}

#[test]
fn what_is_no_entry_is_named() {
    let world = World::new();
    let fault = world.edit(|tx| put_leaf_and_hash(tx, 5, b"{}"));
    assert_eq!(fault, "entry 5 is not a ledger entry");
}

#[test]
fn a_cut_ledger_is_found_out_by_its_checkpoints_and_not_continued() {
    let world = World::new();
    let fault = world.edit(|tx| drop_entry(tx, 6));
    assert!(
        fault.starts_with("the ledger ends after 6 entries, but 7 were signed"),
        "{fault}"
    );

    // Also with the frontier set back, which is what opening looks at.
    let world = World::new();
    let mut frontier = Frontier::new();
    (0..6).for_each(|seq| frontier.append(leaf_hash(&world.leaf(seq))));
    world.edit(|tx| {
        drop_entry(tx, 6);
        put_frontier(tx, &frontier);
    });
    let refused = world.open().err().unwrap();
    let StoreError::Ledger(fault) = refused else {
        panic!("{refused}")
    };
    assert!(matches!(
        *fault,
        LedgerFault::Truncated {
            entries: 6,
            signed: 7
        }
    ));
}

#[test]
fn a_ledger_rolled_back_with_its_checkpoints_is_found_out_by_a_known_one() {
    let world = World::new();
    let note = world.open().unwrap().checkpoint().unwrap();
    let known = Checkpoint::verify(&note, "north", &key(1).verifying_key()).unwrap();
    assert_eq!(
        world
            .verify(std::slice::from_ref(&known))
            .unwrap()
            .known_found,
        1
    );

    let mut frontier = Frontier::new();
    (0..6).for_each(|seq| frontier.append(leaf_hash(&world.leaf(seq))));
    let database = Database::open(world.dir.join("store.redb")).unwrap();
    let tx = database.begin_write().unwrap();
    drop_entry(&tx, 6);
    tx.open_table(CHECKPOINTS).unwrap().remove(7).unwrap();
    put_frontier(&tx, &frontier);
    tx.commit().unwrap();
    drop(database);
    // In itself it is an intact ledger, as it was before the last entry.
    assert_eq!(world.verify(&[]).unwrap().entries, 6);
    let fault = world.verify(std::slice::from_ref(&known)).unwrap_err();
    assert!(matches!(
        fault,
        LedgerFault::Truncated {
            entries: 6,
            signed: 7
        }
    ));

    // Continued by the node's own hand, it has the size again, but not the content.
    append(&world.open().unwrap(), &["another six"]);
    assert_eq!(world.verify(&[]).unwrap().entries, 7);
    let fault = world.verify(&[known]).unwrap_err();
    assert!(matches!(fault, LedgerFault::Rewritten { size: 7 }));
}

#[test]
fn an_entry_behind_the_last_checkpoint_is_named() {
    let world = World::new();
    let leaf = String::from_utf8(world.leaf(6))
        .unwrap()
        .replace("\"seq\":6", "\"seq\":7");
    let fault = world.edit(|tx| put_leaf_and_hash(tx, 7, leaf.as_bytes()));
    assert_eq!(fault, "no signed checkpoint covers entry 7");
}

#[test]
fn a_changed_frontier_is_found_and_not_continued() {
    let world = World::new();
    let mut frontier = Frontier::new();
    (0..7).for_each(|_| frontier.append([9; 32]));
    let fault = world.edit(|tx| put_frontier(tx, &frontier));
    assert!(
        fault.starts_with("the stored Merkle frontier (size 7)"),
        "{fault}"
    );
    let refused = world.open().err().unwrap();
    assert!(
        matches!(refused, StoreError::Ledger(fault) if matches!(*fault, LedgerFault::FrontierMismatch { .. }))
    );
}

#[test]
fn a_checkpoint_that_is_forged_foreign_or_out_of_place_is_named() {
    let put = |size: u64, note: &str| {
        let note = note.to_owned();
        move |tx: &WriteTransaction| {
            tx.open_table(CHECKPOINTS)
                .unwrap()
                .insert(size, note.as_str())
                .unwrap();
        }
    };
    let world = World::new();
    let root = *Checkpoint::parse(&checkpoint_text(&world, 3))
        .unwrap()
        .root();
    let signed = |origin: &str, size, seed| {
        let checkpoint = Checkpoint::new(origin, size, root).unwrap();
        checkpoint.signed(&key(seed), "north").unwrap().to_string()
    };
    let forged = signed("mandorla ledger north", 3, 2);
    assert_eq!(
        world.edit(put(3, &forged)),
        "the checkpoint for size 3 is refused"
    );
    let foreign = signed("mandorla ledger south", 3, 1);
    assert_eq!(
        world.edit(put(3, &foreign)),
        "the checkpoint for size 3 is of another log"
    );
    let moved = signed("mandorla ledger north", 2, 1);
    assert_eq!(
        world.edit(put(3, &moved)),
        "the checkpoint for size 3 claims size 2"
    );
}

fn checkpoint_text(world: &World, size: u64) -> String {
    let store = world.open().unwrap();
    let note = store
        .read()
        .unwrap()
        .ledger()
        .unwrap()
        .checkpoint_at(size)
        .unwrap()
        .unwrap();
    SignedNote::parse(&note).unwrap().text().to_owned()
}

#[test]
fn a_key_change_keeps_the_old_signatures_good_and_a_foreign_key_opens_nothing() {
    let world = World::new();
    let store = Store::open(&world.dir, config(key(2), &[key(1)])).unwrap();
    append(&store, &["seven"]);
    assert_eq!(store.verify_ledger(&[]).unwrap().entries, 8);
    drop(store);
    let refused = Store::open(&world.dir, config(key(3), &[key(1)]))
        .err()
        .unwrap();
    assert!(matches!(refused, StoreError::Ledger(_)));
    // Without the retired key, the new one verifies the end, but not the history.
    let store = Store::open(&world.dir, config(key(2), &[])).unwrap();
    let fault = store.verify_ledger(&[]).unwrap_err();
    assert!(matches!(
        fault,
        LedgerFault::CheckpointRefused { size: 1, .. }
    ));
}

#[test]
fn proofs_of_the_ledger_verify_against_its_checkpoints() {
    let world = World::new();
    let store = world.open().unwrap();
    let ledger = store.read().unwrap().ledger().unwrap();
    let verify = |note: &str| Checkpoint::verify(note, "north", &key(1).verifying_key()).unwrap();
    let newest = verify(&ledger.latest_checkpoint().unwrap());
    assert_eq!(newest.origin(), ledger_origin("north"));
    for seq in 0..7 {
        let proof = ledger.inclusion_proof(seq, 7).unwrap();
        let leaf = leaf_hash(&ledger.leaf_bytes(seq).unwrap());
        verify_inclusion(&leaf, seq, 7, &proof, newest.root()).unwrap();
    }
    let older = verify(&ledger.checkpoint_at(3).unwrap().unwrap());
    let proof = ledger.consistency_proof(3, 7).unwrap();
    verify_consistency(3, older.root(), 7, newest.root(), &proof).unwrap();
    // No transaction ended between entries 3 and 4.
    assert_eq!(ledger.checkpoint_at(4).unwrap(), None);
    assert!(matches!(
        ledger.inclusion_proof(7, 7),
        Err(StoreError::OutsideLedger { .. })
    ));
}

type Change<'a> = Box<dyn Fn(&mut EntryProof) + 'a>;

#[test]
fn an_entry_is_proven_without_the_store_and_nothing_else_is() {
    let world = World::new();
    let store = world.open().unwrap();
    let ledger = store.read().unwrap().ledger().unwrap();
    let verifier = |seed| LedgerVerifier {
        node_name: "north".to_owned(),
        keys: vec![key(seed).verifying_key()],
    };
    for seq in 0..7 {
        let proof = ledger.prove(seq).unwrap();
        let json = serde_json::to_string(&proof).unwrap();
        let proof: EntryProof = serde_json::from_str(&json).unwrap();
        assert_eq!(proof.verify(&verifier(1)).unwrap().seq, seq);
    }
    let whole = ledger.prove(3).unwrap();
    assert!(matches!(
        whole.verify(&verifier(2)),
        Err(LedgerFault::CheckpointRefused { size: 7, .. })
    ));
    let other = ledger.prove(4).unwrap();
    let changes: [Change<'_>; 6] = [
        Box::new(|proof| proof.entry = proof.entry.replace("three", "seven")),
        Box::new(|proof| proof.entry.clone_from(&other.entry)),
        Box::new(|proof| proof.seq = 4),
        Box::new(|proof| proof.path[0] = other.path[1].clone()),
        Box::new(|proof| drop(proof.path.pop())),
        Box::new(|proof| proof.path[0].truncate(62)),
    ];
    for change in changes {
        let mut changed = whole.clone();
        change(&mut changed);
        assert_ne!(changed, whole);
        assert!(matches!(
            changed.verify(&verifier(1)),
            Err(LedgerFault::Altered { .. })
        ));
    }
    let mut moved = whole.clone();
    moved.size = 6;
    assert!(matches!(
        moved.verify(&verifier(1)),
        Err(LedgerFault::CheckpointOutOfPlace { .. })
    ));
}

#[test]
fn a_ledger_in_use_is_not_verified_behind_the_nodes_back() {
    let world = World::new();
    let _store = world.open().unwrap();
    let fault = world.verify(&[]).unwrap_err();
    let LedgerFault::Unavailable(error) = fault else {
        panic!("{fault}")
    };
    assert!(matches!(*error, StoreError::InUse { .. }));
}
