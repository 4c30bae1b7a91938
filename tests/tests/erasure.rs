//! What a node no longer needs is gone: from its files, and as far as this process may look, from its memory.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::scalar::Scalar;
use mandorla_cli::world::{NodeProcess, value_of};
use mandorla_control::RoundView;
use mandorla_protocol::{Terms, decode};
use mandorla_store::run_file::{RunKind, RunReader};
use mandorla_tests::{
    Asked, Deal, Line, evaluated, files_named, follow, numbered, numbers_deal, propose,
    until_logged,
};
use redb::{Builder, ReadableDatabase as _, ReadableTable as _, TableDefinition};

/// Kinds and record sizes of the nodes' run files.
const CELLS: u16 = 1;
const HIT_KEYS: (u16, u16) = (2, 37);
const PRF: (u16, u16) = (4, 32);
/// Where the hit key stands in its record: behind a subject number and a key type.
const HIT_KEY_AT: usize = 5;

/// A key is 32 bytes of a canonical scalar below 2^253; what has so many zeros, or so few different bytes, is none.
const TOP_BYTE_MAX: u8 = 0x10;
const ZEROS_MAX: usize = 4;
const DIFFERENT_MIN: usize = 20;
/// The values that were worked on last may stand on the threads' stacks until these are used again: a few, not all.
const LAST_VALUES_MAX: usize = 8;
/// Files that are removed right after a transaction are gone within this.
const GONE_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Allocations are at least so aligned.
const ALIGNED: usize = 8;

/// The records of all run files of a node whose names end so.
fn records(node: &NodeProcess, ending: &str, kind: u16, bytes: u16) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for path in files_named(node, ending) {
        let mut reader = RunReader::open(&path, RunKind(kind), bytes).expect("a run file");
        while let Some(record) = reader.next_record().expect("an intact run file") {
            records.push(record.to_vec());
        }
    }
    records
}

/// Values of 32 bytes `F(y)` that the responder holds.
fn prf_values(node: &NodeProcess) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    for path in files_named(node, ".run") {
        if path.to_string_lossy().contains("-prf-") {
            let mut reader = RunReader::open(&path, RunKind(PRF.0), PRF.1).expect("a run file");
            while let Some(record) = reader.next_record().expect("an intact run file") {
                values.push(record.to_vec());
            }
        }
    }
    values
}

/// Finds any of many values, whole, at any place.
struct Values(HashMap<[u8; 8], Vec<Vec<u8>>>);

impl Values {
    fn of(values: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut by_start: HashMap<[u8; 8], Vec<Vec<u8>>> = HashMap::new();
        for value in values {
            let start = value[..8].try_into().expect("eight bytes");
            by_start.entry(start).or_default().push(value);
        }
        Self(by_start)
    }

    fn found_in(&self, bytes: &[u8]) -> usize {
        let starts = bytes.windows(8).enumerate();
        let hits = starts.filter(|(at, start)| {
            let candidates = self.0.get(*start);
            candidates
                .is_some_and(|values| values.iter().any(|value| bytes[*at..].starts_with(value)))
        });
        hits.count()
    }

    fn found_on_disk(&self, node: &NodeProcess) -> usize {
        let files = files_named(node, "");
        let contents = files.iter().filter_map(|path| fs::read(path).ok());
        contents.map(|bytes| self.found_in(&bytes)).sum()
    }
}

/// The newest terms that stand in a node's database.
fn terms(node: &NodeProcess, wire_id: &str) -> Terms {
    let bytes = fs::read(node.data_dir().join("store.redb")).expect("a database");
    let label = b"\"terms\":\"";
    let places = bytes.windows(label.len()).enumerate();
    let texts = places
        .filter(|(_, window)| *window == label)
        .map(|(at, _)| {
            let text = &bytes[at + label.len()..];
            &text[..text.iter().position(|&byte| byte == b'"').unwrap_or(0)]
        });
    let mut terms = texts.filter_map(|text| decode::<Terms>(&hex::decode(text).ok()?).ok());
    terms
        .find(|terms| terms.round_id().to_string() == wire_id)
        .expect("the terms of the round")
}

/// The writable memory of a process, region by region.
fn memory(pid: u32) -> io::Result<Vec<Vec<u8>>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let mut regions = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (range, _) = line.split_once(' ').expect("a range");
        let (start, end) = range.split_once('-').expect("two addresses");
        let address = |text| u64::from_str_radix(text, 16).expect("hexadecimal");
        let (start, end) = (address(start), address(end));
        let mut region = vec![0; usize::try_from(end - start).expect("it fits into memory")];
        if memory.read_exact_at(&mut region, start).is_ok() {
            regions.push(region);
        }
    }
    Ok(regions)
}

/// How often the secret key of a public key stands in bytes: every candidate is tried.
fn secret_keys_in(bytes: &[u8], public: &CompressedRistretto) -> usize {
    let candidates = bytes.windows(32).step_by(ALIGNED).filter_map(|window| {
        let zeros = window
            .iter()
            .fold(0, |zeros, byte| zeros + usize::from(*byte == 0));
        if window[31] > TOP_BYTE_MAX || zeros > ZEROS_MAX {
            return None;
        }
        let different: BTreeSet<u8> = window.iter().copied().collect();
        let scalar = (different.len() >= DIFFERENT_MIN).then(|| window.try_into().ok())??;
        Option::<Scalar>::from(Scalar::from_canonical_bytes(scalar))
    });
    candidates
        .filter(|scalar| (scalar * RISTRETTO_BASEPOINT_TABLE).compress() == *public)
        .count()
}

/// A table as bytes, of a node that does not run.
fn rows(data_dir: &Path, table: &str) -> Vec<String> {
    let database = Builder::new()
        .open_read_only(data_dir.join("store.redb"))
        .expect("a database that nobody has open");
    let tx = database.begin_read().expect("a view");
    let definition: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new(table);
    let Ok(table) = tx.open_table(definition) else {
        return Vec::new();
    };
    let rows = table.iter().expect("rows");
    rows.map(|row| String::from_utf8_lossy(row.expect("a row").1.value()).into_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requesters_keys_and_values_are_gone_when_the_evaluation_is_acknowledged() {
    let line = Line::two().await.unwrap();
    let deal = numbers_deal();
    // Everybody who is asked about is known, so every own value of the requester is one of the responder's.
    let [asked_about, known] = [numbered("A", 5_000..5_400), numbered("K", 0..20_000)];
    line.agencies
        .prepare(&deal, [&asked_about, &known])
        .await
        .unwrap();
    let (requester, responder) = (line.agencies.requester(), line.agencies.responder());
    let round = propose(&line.agencies, &deal).await.unwrap();
    let some = |round: &RoundView| round.chunks.is_some_and(|(done, _)| done >= 1);
    follow(requester, &round.id, some).await.unwrap();
    line.relay.cut();
    let pid = requester.pid().expect("it runs");
    let during = memory(pid);
    let round = follow(requester, &round.id, |_| true).await.unwrap();
    assert_eq!(round.state, "evaluating");
    line.relay.restore();
    let asked = evaluated(&line.agencies, &round.id).await.unwrap();
    until_logged(requester, "round.evaluated", 1).await.unwrap();

    let values = Values::of(prf_values(responder));
    assert!(
        values.found_on_disk(responder) >= 20_000,
        "the control: the responder's values are found"
    );
    assert_eq!(
        values.found_on_disk(requester),
        0,
        "a value of the requester's on its disk"
    );
    let terms = terms(
        requester,
        asked.own.wire_id.as_deref().expect("signed terms"),
    );
    let public = CompressedRistretto(terms.offer().key_types[0].public_key);
    let files = files_named(requester, "");
    let on_disk = files.iter().filter_map(|path| fs::read(path).ok());
    let on_disk: usize = on_disk.map(|bytes| secret_keys_in(&bytes, &public)).sum();
    assert_eq!(on_disk, 0, "a key on the disk");

    let during = match during {
        Ok(regions) => regions,
        Err(error) => {
            eprintln!("NOT RUN: the memory of another process cannot be read here: {error}");
            return;
        }
    };
    let keys = |regions: &[Vec<u8>]| -> usize {
        regions
            .iter()
            .map(|region| secret_keys_in(region, &public))
            .sum()
    };
    assert!(
        keys(&during) > 0,
        "the control: the key is found while it is in use"
    );
    let after = memory(pid).expect("it could be read before");
    let left: usize = after.iter().map(|region| values.found_in(region)).sum();
    eprintln!(
        "keys during the evaluation: {}, after it: {}; values after it: {left}",
        keys(&during),
        keys(&after)
    );
    assert_eq!(keys(&after), 0, "a key in memory");
    assert!(left <= LAST_VALUES_MAX, "{left} values in memory");
}

/// What a round is made of, as it stands in the nodes' files before the question is sent, raw and in hexadecimal.
struct Secrets {
    values: Values,
    cells: Values,
    hit_keys: Values,
}

impl Secrets {
    fn of(line: &Line, asked: &Asked) -> Self {
        let (requester, responder) = (line.agencies.requester(), line.agencies.responder());
        let wire_id = asked.peer.wire_id.as_deref().expect("signed terms");
        let cell_bytes = terms(responder, wire_id).cell_bytes();
        let cell_bytes = u16::try_from(cell_bytes).expect("a small number");
        let cells = records(requester, "-cells.run", CELLS, cell_bytes);
        let hit_keys: Vec<Vec<u8>> = records(requester, "-hits.run", HIT_KEYS.0, HIT_KEYS.1)
            .into_iter()
            .map(|record| record[HIT_KEY_AT..].to_vec())
            .collect();
        let values = prf_values(responder);
        assert!(values.len() >= 20 && cells.len() >= 12 && hit_keys.len() == 12);
        let both_forms = |values: &[Vec<u8>]| {
            let text = |value: &Vec<u8>| hex::encode(value).into_bytes();
            Values::of(values.iter().cloned().chain(values.iter().map(text)))
        };
        let secrets = Self {
            values: both_forms(&values),
            cells: both_forms(&cells),
            hit_keys: both_forms(&hit_keys),
        };
        assert!(secrets.values.found_on_disk(responder) > 0, "the control");
        assert!(secrets.cells.found_on_disk(requester) > 0, "the control");
        secrets
    }

    /// Of these only hit keys of hits stay at the responder.
    fn are_gone_after_the_match(&self, responder: &NodeProcess) {
        assert_eq!(self.values.found_on_disk(responder), 0, "a value");
        assert_eq!(self.cells.found_on_disk(responder), 0, "a cell");
        assert!(self.hit_keys.found_on_disk(responder) > 0, "the control");
        let pid = responder.pid().expect("it runs");
        match memory(pid) {
            Ok(regions) => {
                let found = regions.iter().map(|region| self.values.found_in(region));
                let left: usize = found.sum();
                assert!(left <= LAST_VALUES_MAX, "{left} values in memory");
            }
            Err(error) => eprintln!("NOT RUN: the responder's memory cannot be read: {error}"),
        }
    }
}

fn run_files(node: &NodeProcess) -> usize {
    let entries = fs::read_dir(node.data_dir().join("runs"));
    entries.expect("the folder of run files").count()
}

/// The files go right after the transaction that says that the match is over.
async fn until_no_run_files(node: &NodeProcess) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let gone = async {
        while run_files(node) > 0 {
            look.tick().await;
        }
    };
    let in_time = tokio::time::timeout(GONE_WITHIN, gone).await;
    assert!(in_time.is_ok(), "{} run files are left", run_files(node));
}

/// Refuses three hits, releases four, leaves three; returns the own references of what is not released.
async fn decide(line: &Line, asked: &Asked) -> BTreeSet<String> {
    let waiting = line.agencies.waiting(asked).await.unwrap();
    assert_eq!(waiting.len(), 10);
    let mut kept_back = BTreeSet::new();
    for (place, entry) in waiting.iter().enumerate() {
        if place < 4 {
            line.agencies.release(&entry.item, &[]).await.unwrap();
            continue;
        }
        let page = line.agencies.page(&entry.item).await.unwrap();
        kept_back.insert(value_of(&page.own_record, "case_ref").unwrap().to_owned());
        if place < 7 {
            line.agencies.refuse(&entry.item).await.unwrap();
        }
    }
    kept_back
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_leaves_hits_alone_and_a_close_only_what_was_released() {
    let mut line = Line::two().await.unwrap();
    let deal = Deal {
        slots_s: vec![20],
        fetch_window_s: 4,
        ..numbers_deal()
    };
    let [asked_about, known] = [numbered("A", 10..22), numbered("K", 0..20)];
    line.agencies
        .prepare(&deal, [&asked_about, &known])
        .await
        .unwrap();
    let asked = line.agencies.evaluated(&deal).await.unwrap();
    let secrets = Secrets::of(&line, &asked);
    let asked = line.agencies.approve(&asked).await.unwrap();
    until_no_run_files(line.agencies.responder()).await;
    secrets.are_gone_after_the_match(line.agencies.responder());

    let kept_back = decide(&line, &asked).await;
    assert_eq!(kept_back.len(), 6);
    assert_eq!(line.agencies.answer(&asked).await.unwrap().len(), 4);
    let closed = |round: &RoundView| round.state == "closed";
    for (node, round) in [(0, &asked.own.id), (1, &asked.peer.id)] {
        follow(line.agencies.world.node(node), round, closed)
            .await
            .unwrap();
        line.agencies.world.node_mut(node).stop().await;
        assert_eq!(
            run_files(line.agencies.world.node(node)),
            0,
            "after the close"
        );
    }
    let (requester, responder) = (line.agencies.requester(), line.agencies.responder());
    assert_eq!(secrets.hit_keys.found_on_disk(requester), 0, "a hit key");
    // Pages that the responder's database no longer uses may hold old rows; its tables do not.
    let hits = rows(responder.data_dir(), "hits");
    assert_eq!(hits.len(), 4, "a row for each released hit");
    for row in &hits {
        assert!(
            !kept_back
                .iter()
                .any(|reference| row.contains(reference.as_str())),
            "{row}"
        );
        assert!(
            row.contains("\"agreed\":[]") && row.contains("\"place\":null"),
            "{row}"
        );
    }
}
