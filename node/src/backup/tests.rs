mod going_on;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use mandorla_control::{BackupView, ErrorCode, Role};
use mandorla_protocol::merkle::{Frontier, leaf_hash};
use mandorla_store::{AgreementRef, StoreError, Table};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::content::{self, CONTENTS, LEFT_OUT};
use super::create::{self, Output};
use super::format::{Item, ItemReader, ItemWriter};
use super::stream::{SealedReader, SealedWriter};
use super::{BackupError, restore, verify};
use crate::clock::Clock;
use crate::events::Event;
use crate::node::{Caller, Node};
use crate::records::dataset::DatasetRecord;
use crate::records::hit::{AgreedRecord, DecisionRecord, HIT_ROUNDS, HITS, HitRecord};
use crate::records::pair::{PAIR_LEAVES, PAIR_LOGS, PairLogRecord};
use crate::records::quota;
use crate::records::round::{
    ANSWERS, About, AnswerRecord, Digest32, ROUNDS, RoundRecord, RoundState, Side,
};
use crate::rounds::os_rng;
use crate::seal::Seal;
use crate::test_node;

/// Stands in a field of a record that belongs in a backup.
const CANARY: &str = "QZCANARYQZ";
/// Stand where secrets of open rounds do.
const SECRETS: [&str; 5] = [
    "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", // state of a machine
    "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2", // hit key
    "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3", // match key
    "d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4", // sealed place
    "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5", // answer that was not served
];

/// Opens every backup here: a passphrase costs a quarter of a second each time.
fn secret() -> Seal {
    Seal::wrapping_key(Zeroizing::new([8; 32]))
}

fn caller() -> Caller {
    Caller {
        name: "op".to_owned(),
        roles: vec![Role::Operator],
        uid: None,
    }
}

/// A file in memory that holds so many bytes at most.
struct Disk {
    bytes: Vec<u8>,
    room: usize,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Disk {
    fn written(&self) -> (u64, [u8; 32]) {
        let digest = Sha256::digest(&self.bytes).into();
        (self.bytes.len() as u64, digest)
    }
}

fn round(id: &str, side: Side, state: RoundState) -> RoundRecord {
    let dataset: DatasetRecord = serde_json::from_value(serde_json::json!({
        "name": "list", "generation": 1, "subjects": 9, "fields": [], "digest": "", "loaded_at": 0,
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
        purpose: CANARY,
        dataset: &dataset,
        peer_dataset: "register",
        policy_scope: String::new(),
    };
    let mut record = RoundRecord::begin(side, state, &about, 1_700_000_000);
    record.id = id.to_owned();
    record
}

fn hit(id: &str, slot: Option<u8>) -> HitRecord {
    let decision = slot.map(|slot| DecisionRecord {
        kind: "released".to_owned(),
        by: "officer".to_owned(),
        reason: "known".to_owned(),
        at: 1,
        fields: Vec::new(),
        slot: Some(slot),
        place: Some(SECRETS[3].to_owned()),
    });
    serde_json::from_value(serde_json::json!({
        "id": id, "own_subject": 3, "own_reference": "ref", "subject_number": 7, "own_key_types": 1,
        "peer_key_types": 1,
        "agreed": [AgreedRecord {
            key_type: 0,
            match_key: SECRETS[2].to_owned(),
            hit_key: SECRETS[1].to_owned(),
        }],
        "grade": "certain", "decision": decision, "first_release": null,
    }))
    .unwrap()
}

fn answer(receipt: bool, bytes: &str) -> AnswerRecord {
    let digest = Digest32(mandorla_protocol::Digest([7; 32]));
    AnswerRecord {
        bytes: bytes.to_owned(),
        digest,
        ledger_commitment: digest,
        ledger_salt: "00".repeat(32),
        ledger_size: None,
        served_at: None,
        receipt: receipt.then(|| "00".to_owned()),
        delivered: false,
        opened: false,
        at: 1,
    }
}

/// Facts of a pair log that nobody has signed yet cannot be in a log, so this one is signed by this node alone, with
/// a peer whose card is gone.
fn pair_log(node: &Node) -> (PairLogRecord, Vec<Vec<u8>>) {
    use mandorla_protocol::{NodeKey, PairLog};
    let leaves = vec![b"one".to_vec(), b"two".to_vec()];
    let mut tree = Frontier::new();
    for leaf in &leaves {
        tree.append(leaf_hash(leaf));
    }
    let log = PairLog::with_tree(node.identity.node_key(), NodeKey([9; 32]), tree.clone());
    let record = PairLogRecord {
        tree: hex::encode(tree.to_bytes()),
        note: Some(log.offer_note(node.identity.signer())),
        in_flight: None,
        restored: false,
    };
    (record, leaves)
}

struct World {
    dir: TempDir,
    clock: Arc<AtomicU64>,
    node: Arc<Node>,
}

impl World {
    /// A node with a closed round, an open one on each side with secrets, hits, answers, a quota and a pair log.
    fn new() -> Self {
        let (dir, clock, node) = test_node::node();
        let (log, leaves) = pair_log(&node);
        let mut asked = round("R-1", Side::Requester, RoundState::AwaitingApproval);
        let mut answered = round("Q-1", Side::Responder, RoundState::Matched);
        for record in [&mut asked, &mut answered] {
            record.machine = Some(SECRETS[0].to_owned());
        }
        let closed = round("Q-0", Side::Responder, RoundState::Closed);
        let written = node.store.write::<_, StoreError>(|tx| {
            for record in [asked, answered, closed] {
                tx.put(ROUNDS, record.id.clone().as_str(), &record)?;
            }
            tx.put(HITS, ("Q-1", "H-released"), &hit("H-released", Some(0)))?;
            tx.put(HITS, ("Q-1", "H-waiting"), &hit("H-waiting", None))?;
            tx.put(HIT_ROUNDS, "H-released", &"Q-1".to_owned())?;
            tx.put(HIT_ROUNDS, "H-waiting", &"Q-1".to_owned())?;
            tx.put(ANSWERS, ("Q-0", 0), &answer(false, "00"))?;
            tx.put(ANSWERS, ("Q-1", 0), &answer(true, "01"))?;
            tx.put(ANSWERS, ("Q-1", 1), &answer(false, SECRETS[4]))?;
            tx.put(ANSWERS, ("R-1", 0), &answer(true, SECRETS[4]))?;
            quota::charge(tx, "A", "number", 40, node.clock.now_s())?;
            tx.put(PAIR_LOGS, "RS/asked-by-us", &log)?;
            for (leaf, seq) in leaves.iter().zip(0..) {
                tx.put(PAIR_LEAVES, ("RS/asked-by-us", seq), &hex::encode(leaf))?;
            }
            tx.append_ledger(node.event(Event::RoundProposed))
                .map(|_| ())
        });
        written.unwrap();
        Self { dir, clock, node }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut disk = Disk {
            bytes: Vec::new(),
            room: usize::MAX,
        };
        create::write(&self.node, &caller(), &secret(), &mut disk).unwrap();
        disk.bytes
    }

    fn backup(&self) -> PathBuf {
        let path = self.dir.path().join("backup");
        fs::write(&path, self.bytes()).unwrap();
        path
    }

    fn keys(&self) -> PathBuf {
        self.node.data_dir().join("keys.toml")
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("restored")
    }

    fn restore(&self, file: &Path) -> Result<mandorla_control::BackupRestored, BackupError> {
        let clock = Clock::Manual(Arc::clone(&self.clock));
        restore(file, &secret(), &self.keys(), None, &self.target(), &clock)
    }

    fn reopened(&self) -> Arc<Node> {
        Node::open(&self.target(), Clock::Manual(Arc::clone(&self.clock)), None).unwrap()
    }
}

/// Everything that is in a backup, in plain.
fn decrypted(file: &[u8]) -> Vec<u8> {
    let mut reader = SealedReader::begin(Cursor::new(file), &secret()).unwrap();
    let mut plain = Vec::new();
    let mut byte = [0];
    while !reader.is_at_end() {
        reader.read_exact(&mut byte).unwrap();
        plain.push(byte[0]);
    }
    plain
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[test]
fn every_table_of_the_node_is_in_a_backup_or_left_out_with_a_reason() {
    fn names(dir: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                names(&path, found);
            } else if !path.ends_with("tests.rs") {
                let source = fs::read_to_string(&path).unwrap();
                let mut rest = source.as_str();
                while let Some((_, after)) = rest.split_once("Table::new(\"") {
                    found.insert(after.split('"').next().unwrap().to_owned());
                    rest = after;
                }
            }
        }
    }
    let mut declared = BTreeSet::new();
    names(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut declared,
    );
    assert!(declared.contains("rounds") && declared.len() >= 17);
    let mut known = BTreeSet::new();
    let tables = CONTENTS.iter().map(|content| content.table);
    for table in tables.chain(LEFT_OUT.iter().map(|(table, _)| *table)) {
        assert!(
            known.insert(table.name().to_owned()),
            "{} once",
            table.name()
        );
    }
    assert_eq!(known, declared);
}

#[test]
fn every_file_of_a_data_directory_is_in_a_backup_or_left_out_for_a_reason() {
    let world = World::new();
    let left_out = [
        ("keys.toml", "kept apart"),
        ("auditor.key", "of the auditor"),
        ("store.redb", "its tables are in the backup"),
        ("runs", "of open rounds"),
    ];
    for name in entries(world.node.data_dir()) {
        let known = content::file(&name).is_some() || left_out.iter().any(|(one, _)| *one == name);
        assert!(known, "{name}: in FILES, or left out?");
    }
}

#[test]
fn a_table_that_nobody_has_decided_about_stops_every_backup() {
    const NEW: Table<&str, u64> = Table::new("new");
    let world = World::new();
    world
        .node
        .store
        .write_unlogged::<_, StoreError>(|tx| tx.put(NEW, "a", &1))
        .unwrap();
    let mut disk = Disk {
        bytes: Vec::new(),
        room: usize::MAX,
    };
    let error = create::write(&world.node, &caller(), &secret(), &mut disk).unwrap_err();
    assert!(matches!(error, BackupError::UnknownTable { table } if table == "new"));
}

#[test]
fn a_backup_verifies_and_says_what_is_in_it_and_what_is_not() {
    let world = World::new();
    let file = world.backup();
    let view = verify(&file, &secret()).unwrap();
    let rows = |what: &str| {
        let part = view.contents.iter().find(|part| part.what == what);
        part.map_or(0, |part| part.rows)
    };
    assert_eq!(
        (rows("rounds"), rows("hits"), rows("hit rounds")),
        (3, 1, 1)
    );
    assert_eq!((rows("answers"), rows("evaluations")), (2, 1));
    assert_eq!(view.open_rounds, 2);
    assert_eq!(view.pair_logs.len(), 1);
    assert_eq!(view.pair_logs[0].facts, 2);
    assert_eq!(view.left_out, content::gaps());
    assert_eq!(view.bytes, fs::metadata(&file).unwrap().len());
    let json = serde_json::to_string(&view).unwrap();
    assert!(!json.contains(CANARY), "no personal data");
}

#[test]
fn what_create_says_is_what_verify_finds_and_both_are_in_the_ledger() {
    let world = World::new();
    let mut disk = Disk {
        bytes: Vec::new(),
        room: usize::MAX,
    };
    let made = create::write(&world.node, &caller(), &secret(), &mut disk).unwrap();
    let path = world.dir.path().join("backup");
    fs::write(&path, &disk.bytes).unwrap();
    assert_eq!(verify(&path, &secret()).unwrap(), made);
    let ledger = world.node.store.read().unwrap().ledger().unwrap();
    let last = ledger.size() - 1;
    let created = ledger.entry(last).unwrap();
    assert_eq!(created.event, "backup.created");
    assert_eq!(created.detail["file_digest"], made.file_digest);
    assert_eq!(
        created.detail["left_out"].as_array().unwrap().len(),
        content::gaps().len()
    );
    assert_eq!(ledger.entry(last - 1).unwrap().event, "backup.started");
    assert_eq!(
        made.ledger_entries, last,
        "the backup knows of its own beginning"
    );
}

#[test]
fn no_secret_is_in_a_backup_and_no_word_of_it_is_readable_without_the_passphrase() {
    let world = World::new();
    let file = world.bytes();
    let plain = decrypted(&file);
    assert!(
        holds(&plain, CANARY.as_bytes()),
        "the search finds what is there"
    );
    assert!(!holds(&file, CANARY.as_bytes()));
    let keys = fs::read_to_string(world.keys()).unwrap();
    // State, sequence and end of the one key set stand before its seeds.
    let head = 2 * 13;
    let ring = keys.split('"').find(|part| part.len() == head + 3 * 64);
    let all = &ring.unwrap()[head..];
    let seeds = [&all[..64], &all[64..128], &all[128..]];
    for secret in seeds.into_iter().chain(SECRETS) {
        assert!(!holds(&plain, secret.as_bytes()), "{secret}");
        assert!(!holds(&plain, &hex::decode(secret).unwrap()), "{secret}");
    }
    let auditor = fs::read_to_string(world.node.data_dir().join("auditor.key")).unwrap();
    let private = auditor.split('"').find(|part| part.len() == 64).unwrap();
    assert!(!holds(&plain, private.as_bytes()));
}

#[test]
fn a_restored_node_goes_on_from_the_backup_and_regains_nothing() {
    let world = World::new();
    let file = world.backup();
    let made = verify(&file, &secret()).unwrap();
    // Two hours later, more was used.
    world
        .clock
        .fetch_add(2 * 3_600_000, std::sync::atomic::Ordering::SeqCst);
    let restored = world.restore(&file).unwrap();
    assert_eq!(restored.backup, made);
    assert_eq!(restored.rounds_ended, ["Q-1", "R-1"]);
    assert_eq!(restored.spent_until, test_node::NOON_MS / 1_000 + 7_200);

    let node = world.reopened();
    node.store.verify_ledger(&[]).unwrap();
    let tx = node.store.read().unwrap();
    for (id, round) in tx.scan_all(ROUNDS).unwrap() {
        assert!(round.state.is_over() && round.machine.is_none(), "{id}");
    }
    assert_eq!(tx.find(ROUNDS, "R-1").unwrap().unwrap().detail, "restored");
    assert_eq!(
        tx.find(ROUNDS, "Q-0").unwrap().unwrap().state,
        RoundState::Closed
    );
    assert_eq!(quota::spent_until(&tx).unwrap(), Some(restored.spent_until));
    for (name, log) in tx.scan_all(PAIR_LOGS).unwrap() {
        assert!(log.restored, "{name}");
    }
    let (log, _) = pair_log(&world.node);
    let stored = tx.find(PAIR_LOGS, "RS/asked-by-us").unwrap().unwrap();
    assert_eq!((stored.tree, stored.note), (log.tree, log.note));

    let ledger = tx.ledger().unwrap();
    let entry = ledger.entry(ledger.size() - 1).unwrap();
    assert_eq!(entry.event, "backup.restored");
    assert_eq!(entry.detail["backup_ledger_entries"], made.ledger_entries);
    assert_eq!(entry.detail["backup_ledger_root"], made.ledger_root);
    let gap = ledger.checkpoint_at(made.ledger_entries).unwrap();
    assert!(gap.is_some(), "the backup's end is in the history");
    assert!(!world.target().join(".restoring").exists());
    assert!(!world.target().join("auditor.key").exists());
}

#[test]
fn a_clock_that_is_behind_the_backup_does_not_free_a_quota() {
    let world = World::new();
    let file = world.backup();
    world
        .clock
        .fetch_sub(90 * 86_400_000, std::sync::atomic::Ordering::SeqCst);
    let restored = world.restore(&file).unwrap();
    assert_eq!(restored.spent_until, test_node::NOON_MS / 1_000);
}

fn private_dir(path: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path).unwrap();
}

fn entries(dir: &Path) -> Vec<String> {
    let found = fs::read_dir(dir).into_iter().flatten().flatten();
    found
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn a_restore_that_fails_leaves_nothing_wherever_it_fails() {
    let world = World::new();
    let whole = world.bytes();
    let file = world.dir.path().join("cut");
    for length in [0, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        let error = world.restore(&file).unwrap_err();
        let expected = match length {
            0 => ErrorCode::BadFile,
            _ => ErrorCode::BadBackup,
        };
        assert_eq!(error.code(), expected, "{error}");
        assert!(!world.target().exists());
    }
    // A directory that was there, and is empty, stays and stays empty.
    private_dir(&world.target());
    world.restore(&file).unwrap_err();
    assert_eq!(entries(&world.target()), [""; 0]);
}

#[test]
fn a_directory_that_holds_anything_is_not_touched() {
    let world = World::new();
    let file = world.backup();
    private_dir(&world.target());
    fs::write(world.target().join("notes"), "mine").unwrap();
    let error = world.restore(&file).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Exists);
    assert!(error.to_string().contains("notes"));
    assert_eq!(entries(&world.target()), ["notes"]);
    let here = world.node.data_dir();
    let clock = Clock::Manual(Arc::clone(&world.clock));
    let error = restore(&file, &secret(), &world.keys(), None, here, &clock).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Exists, "nor that of a node");
}

#[test]
fn a_directory_that_others_can_enter_is_refused_with_the_remedy() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let file = world.backup();
    private_dir(&world.target());
    fs::set_permissions(world.target(), fs::Permissions::from_mode(0o755)).unwrap();
    let error = world.restore(&file).unwrap_err();
    assert_eq!(error.code(), ErrorCode::OpenToOthers);
    assert!(error.hint().contains("chmod"), "{error}");
    assert_eq!(entries(&world.target()), [""; 0]);
}

#[test]
fn an_interrupted_restore_is_begun_anew() {
    let world = World::new();
    let file = world.backup();
    for moved in [
        &[][..],
        &["store.redb"],
        &["store.redb", "runs", "keys.toml"],
    ] {
        let staging = world.target().join(".restoring");
        private_dir(&staging);
        fs::write(staging.join("node.toml"), "half").unwrap();
        for name in moved {
            fs::write(world.target().join(name), "half").unwrap();
        }
        assert!(
            Node::open(&world.target(), Clock::System, None).is_err(),
            "no node"
        );
        world.restore(&file).unwrap();
        drop(world.reopened());
        fs::remove_dir_all(world.target()).unwrap();
    }
}

#[test]
fn the_keys_of_another_node_are_refused() {
    let world = World::new();
    let file = world.backup();
    let (_other_dir, _, other) = test_node::node_of("RS", "RS", |_| {});
    let keys = other.data_dir().join("keys.toml");
    let clock = Clock::Manual(Arc::clone(&world.clock));
    let refused = restore(&file, &secret(), &keys, None, &world.target(), &clock).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::OtherKeys);
    assert!(!world.target().exists());
    let missing = world.dir.path().join("no-keys");
    let refused = restore(&file, &secret(), &missing, None, &world.target(), &clock).unwrap_err();
    assert!(refused.to_string().contains("no-keys"));
    assert!(!world.target().exists());
}

#[test]
fn sealed_keys_need_their_secret_and_stay_sealed() {
    let world = World::new();
    let file = world.backup();
    let keys = world.dir.path().join("copy");
    fs::create_dir(&keys).unwrap();
    let seal = Seal::wrapping_key(Zeroizing::new([5; 32]));
    fs::copy(world.keys(), keys.join("keys.toml")).unwrap();
    let plain = crate::identity::Identity::read(&keys, None).unwrap();
    plain.write_sealed(Some(&seal)).unwrap();
    let keys = keys.join("keys.toml");
    let clock = Clock::Manual(Arc::clone(&world.clock));
    let with =
        |seal: Option<&Seal>| restore(&file, &secret(), &keys, seal, &world.target(), &clock);
    assert_eq!(with(None).unwrap_err().code(), ErrorCode::SecretNeeded);
    assert_eq!(
        with(Some(&secret())).unwrap_err().code(),
        ErrorCode::WrongSecret
    );
    assert!(!world.target().exists());
    with(Some(&seal)).unwrap();
    assert!(Node::open(&world.target(), clock.clone(), None).is_err());
    Node::open(&world.target(), clock, Some(&seal)).unwrap();
}

#[test]
fn a_full_disk_is_an_error_and_the_ledger_names_no_whole_backup() {
    let world = World::new();
    let mut disk = Disk {
        bytes: Vec::new(),
        room: 200,
    };
    let error = create::write(&world.node, &caller(), &secret(), &mut disk).unwrap_err();
    assert!(matches!(
        &error,
        BackupError::Writing { source } if source.kind() == io::ErrorKind::StorageFull
    ));
    let ledger = world.node.store.read().unwrap().ledger().unwrap();
    let last = ledger.entry(ledger.size() - 1).unwrap();
    assert_eq!(last.event, "backup.started");
}

/// Writes the items of a backup again, changed, under the same passphrase: what somebody who knows it could make.
fn rewritten(file: &[u8], change: impl Fn(Item<'_>, &mut dyn FnMut(&Item<'_>))) -> Vec<u8> {
    let sealed = SealedReader::begin(Cursor::new(file), &secret()).unwrap();
    let mut items = ItemReader::new(sealed);
    let sealed = SealedWriter::begin(Vec::new(), &secret(), &mut os_rng()).unwrap();
    let mut writer = ItemWriter::new(sealed);
    loop {
        let item = items.read().unwrap();
        let is_end = matches!(item, Item::End(_));
        change(item, &mut |item| writer.write(item).unwrap());
        if is_end {
            return writer.finish().unwrap();
        }
    }
}

fn verified(world: &World, bytes: &[u8]) -> Result<BackupView, BackupError> {
    let path = world.dir.path().join("changed");
    fs::write(&path, bytes).unwrap();
    verify(&path, &secret())
}

#[test]
fn who_knows_the_passphrase_still_cannot_change_the_ledger_a_pair_log_or_drop_a_row() {
    let world = World::new();
    let file = world.bytes();
    let same = rewritten(&file, |item, out| out(&item));
    verified(&world, &same).unwrap();

    let altered_entry = rewritten(&file, |item, out| match item {
        Item::LedgerEntry(leaf) => {
            let text = String::from_utf8(leaf.to_vec()).unwrap();
            out(&Item::LedgerEntry(
                text.replace("round.proposed", "round.refused0").as_bytes(),
            ));
        }
        item => out(&item),
    });
    let error = verified(&world, &altered_entry).unwrap_err();
    assert!(matches!(error, BackupError::Ledger(_)), "{error}");

    let row_of = |table: &'static str, keep: bool| {
        let current = std::cell::RefCell::new(String::new());
        rewritten(&file, move |item, out| match item {
            Item::Table(name) => {
                name.clone_into(&mut current.borrow_mut());
                out(&Item::Table(name));
            }
            Item::Row(..) if *current.borrow() == table && !keep => {}
            Item::Row(key, value) if *current.borrow() == table => {
                let text = String::from_utf8(value.to_vec()).unwrap();
                out(&Item::Row(key, text.replace("6f6e65", "6f6e66").as_bytes()));
            }
            item => out(&item),
        })
    };
    let error = verified(&world, &row_of("pair_leaves", true)).unwrap_err();
    assert!(matches!(error, BackupError::PairLog { .. }), "{error}");
    let error = verified(&world, &row_of("hits", false)).unwrap_err();
    assert!(
        matches!(error, BackupError::Content("rows are missing")),
        "{error}"
    );

    let newer = rewritten(&file, |item, out| match item {
        Item::Manifest(mut manifest) => {
            manifest.store_schema += 1;
            out(&Item::Manifest(manifest));
        }
        item => out(&item),
    });
    let error = verified(&world, &newer).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NewerVersion);

    let foreign_keys = rewritten(&file, |item, out| match item {
        Item::Manifest(mut manifest) => {
            manifest.signing_key = mandorla_protocol::NodeSigner::from_seed(&[3; 32])
                .public()
                .to_string();
            out(&Item::Manifest(manifest));
        }
        item => out(&item),
    });
    let error = verified(&world, &foreign_keys).unwrap_err();
    assert!(matches!(error, BackupError::Ledger(_)), "{error}");
}

#[test]
fn every_error_has_a_hint() {
    let error = BackupError::CutShort { chunks: 3 };
    assert!(!error.hint().is_empty());
    assert_eq!(error.code(), ErrorCode::BadBackup);
    assert_eq!(error.code().exit(), mandorla_control::ExitCode::FaultFound);
}
