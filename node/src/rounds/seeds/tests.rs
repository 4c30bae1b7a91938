use mandorla_protocol::responder::Blinding;
use mandorla_protocol::{Digest, chunks};

use super::*;
use crate::auditor_key::AUDITOR_KEY_NAME;
use crate::config::CONFIG_NAME;
use crate::events::Event;
use crate::records::round::{CHUNKS, RoundRecord};
use crate::rounds::index::OwnIndex;
use crate::rounds::ruled_of;
use crate::test_node::node;
use crate::test_pair::{Side, evaluated};

/// Names of the files below a directory that hold a byte string.
fn files_with(dir: &Path, wanted: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, wanted));
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(wanted.len()).any(|window| window == wanted) {
                found.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found
}

/// Recorded digests of what was sent, and those of what this seed gives for the own match keys.
fn chunk_digests(node: &Node, record: &RoundRecord, seed: [u8; 32]) -> (Vec<String>, Vec<String>) {
    let terms = record.terms().unwrap();
    let rules = ruled_of(node, record).unwrap();
    let index = OwnIndex::of_round(node, record, &rules.agreement).unwrap();
    let blinding =
        Blinding::restore(BlindingRecord::new(terms.clone(), seed, [0; 32]), [], []).unwrap();
    let range = (record.id.as_str(), 0)..=(record.id.as_str(), u64::MAX);
    let recorded = node.store.read().unwrap().scan(CHUNKS, range).unwrap();
    let recomputed = chunks(&terms).map(|header| {
        let keys = index.of_type(header.key_type).keys(header.row_range());
        let chunk = blinding.blind_job(header).run(node.kernel, &keys);
        chunk.inputs_digest().to_string()
    });
    (
        recorded
            .into_iter()
            .map(|(_, chunk)| chunk.inputs)
            .collect(),
        recomputed.collect(),
    )
}

fn event_detail(node: &Node, event: Event) -> serde_json::Value {
    let tx = node.store.read().unwrap();
    let ledger = tx.ledger().unwrap();
    let entries = (0..ledger.size()).map(|seq| {
        serde_json::from_slice::<serde_json::Value>(&ledger.leaf_bytes(seq).unwrap()).unwrap()
    });
    let mut found = entries.filter(|entry| entry["event"] == event.name());
    found.next_back().unwrap()["detail"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_evaluation_only_the_auditor_has_the_seed() {
    let uk = Side::start("UK", "GB", |_| {}).await;
    let rs = Side::start("RS", "RS", |_| {}).await;
    let record = evaluated(&uk, &rs).await;

    let data_dir = rs.node.data_dir().to_owned();
    let key = AuditorKey::read(&data_dir.join(AUDITOR_KEY_NAME)).unwrap();
    let seed = rs.node.open_seed(&record.id, &key).unwrap();
    let (recorded, recomputed) = chunk_digests(&rs.node, &record, *seed);
    assert_eq!(recorded, recomputed, "the very elements that were sent");
    assert_ne!(recorded, chunk_digests(&rs.node, &record, [0; 32]).1);
    let detail = event_detail(&rs.node, Event::RoundEvaluated);
    assert_eq!(
        detail["blinding_seed_sealed_to"],
        key.public().to_string().as_str()
    );
    let root: Digest = detail["evaluation_root"].as_str().unwrap().parse().unwrap();
    assert_eq!(record.evaluation_root.unwrap().0, root);

    let other = AuditorKey::generate(&mut crate::rounds::os_rng());
    assert!(matches!(
        rs.node.open_seed(&record.id, &other),
        Err(OpenSeedError::DoesNotOpen(_))
    ));
    assert!(matches!(
        uk.node.open_seed("R-20261124-001", &key),
        Err(OpenSeedError::NotSealed(_))
    ));

    // Freed pages of the database included, while it runs and after it has stopped.
    let sealed = serde_json::to_string(&record.sealed_seed).unwrap();
    let sealed = sealed.trim_matches('"').to_owned();
    let hexed = hex::encode(*seed);
    let only_sealed = || {
        assert_eq!(files_with(&data_dir, sealed.as_bytes()), ["store.redb"]);
        assert_eq!(files_with(&data_dir, seed.as_slice()), Vec::<String>::new());
        assert_eq!(
            files_with(&data_dir, hexed.as_bytes()),
            Vec::<String>::new()
        );
    };
    only_sealed();
    let _directory = rs.stop().await;
    only_sealed();
    uk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_auditors_key_the_seed_is_dropped_and_the_ledger_says_so() {
    let uk = Side::start("UK", "GB", |_| {}).await;
    let rs = Side::start("RS", "RS", |data_dir| {
        let path = data_dir.join(CONFIG_NAME);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(
            &path,
            text.replace("\nauditor_key = ", "\n# auditor_key = "),
        )
        .unwrap();
    })
    .await;
    let record = evaluated(&uk, &rs).await;
    assert!(record.sealed_seed.is_none());
    let range = (record.id.as_str(), 0)..=(record.id.as_str(), u64::MAX);
    let tx = rs.node.store.read().unwrap();
    assert!(tx.scan(CHUNKS, range).unwrap().is_empty());
    let detail = event_detail(&rs.node, Event::RoundEvaluated);
    assert_eq!(
        detail["blinding_seed"],
        "dropped: node.toml names no auditor_key"
    );
    assert!(!path(&rs.node.store.runs_dir(), &record.id).exists());
    uk.stop().await;
    rs.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seeds_are_read_back_after_a_restart_and_leave_no_file_when_erased() {
    let uk = Side::start("UK", "GB", |_| {}).await;
    let rs = Side::start("RS", "RS", |_| {}).await;
    let terms = evaluated(&uk, &rs).await.terms().unwrap();
    let dir = rs.node.store.runs_dir();
    for (blind_seed, item_seed) in [([1; 32], [2; 32]), ([3; 32], [4; 32])] {
        let record = BlindingRecord::new(terms.clone(), blind_seed, item_seed);
        write(&dir, "Q-1", &record).unwrap();
        let read = read(&dir, "Q-1", terms.clone()).unwrap().unwrap();
        assert_eq!(*read.blind_seed(), blind_seed);
        assert_eq!(*read.item_seed(), item_seed);
    }
    erase(&dir, "Q-1").unwrap();
    erase(&dir, "Q-1").unwrap();
    assert!(!path(&dir, "Q-1").exists());
    assert!(read(&dir, "Q-1", terms).is_err());
    uk.stop().await;
    rs.stop().await;
}

/// Why seeds have a file of their own; and that the search above finds what is there.
#[test]
fn a_database_still_holds_what_was_just_overwritten_in_it() {
    const ROW: mandorla_store::Table<&str, String> = mandorla_store::Table::new("rows");
    let (_dir, _, node) = node();
    let seed = hex::encode([0x5e; 32]);
    let put = |value: &str| {
        let put = |tx: &mandorla_store::WriteTx<'_>| tx.put(ROW, "Q-1", &value.to_owned());
        node.store
            .write_unlogged::<_, StoreError>(|tx| put(tx))
            .unwrap();
    };
    put(&seed);
    put("evaluated");
    let stored = node.store.read().unwrap().find(ROW, "Q-1").unwrap();
    assert_eq!(stored.as_deref(), Some("evaluated"));
    assert_eq!(files_with(node.data_dir(), seed.as_bytes()), ["store.redb"]);
}

#[test]
fn seeds_that_no_round_needs_are_erased_when_the_node_opens() {
    let (_dir, _, node) = node();
    let orphan = path(&node.store.runs_dir(), "Q-20261124-001");
    fs::write(&orphan, [7; FILE_BYTES]).unwrap();
    sweep(&node).unwrap();
    assert!(!orphan.exists());
}

#[test]
fn a_damaged_file_of_seeds_is_not_used() {
    let (_dir, _, node) = node();
    let dir = node.store.runs_dir();
    let seeds: [u8; 64] = std::array::from_fn(|at| at as u8);
    let whole = [&seeds[..], &checksum("Q-1", &seeds)].concat();
    assert!(parse("Q-1", &whole).is_some());
    assert!(parse("Q-2", &whole).is_none(), "of another round");
    for bit in 0..8 * FILE_BYTES {
        let mut altered = whole.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(parse("Q-1", &altered).is_none(), "bit {bit}");
    }
    for length in 0..FILE_BYTES {
        assert!(parse("Q-1", &whole[..length]).is_none());
    }
    let path = path(&dir, "Q-1");
    fs::write(&path, &whole).unwrap();
    overwrite(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), [0; FILE_BYTES]);
}
