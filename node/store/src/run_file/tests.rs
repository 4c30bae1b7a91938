use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::format::Header;
use super::writer::Sink;
use super::*;

const KIND: RunKind = RunKind(7);
/// Wide enough that a few records fill a block.
const WIDE: u16 = 30_000;

fn write_run(
    dir: &Path,
    name: &str,
    order: RunOrder,
    records: &[Vec<u8>],
) -> Result<RunInfo, RunError> {
    let record_bytes = records.first().map_or(4, Vec::len) as u16;
    let mut writer = RunWriter::create(dir, name, KIND, record_bytes, order)?;
    records.iter().try_for_each(|record| writer.push(record))?;
    writer.finish()
}

fn read_all(path: &Path, record_bytes: u16) -> Result<Vec<Vec<u8>>, RunError> {
    let mut reader = RunReader::open(path, KIND, record_bytes)?;
    let mut records = Vec::new();
    while let Some(record) = reader.next_record()? {
        records.push(record.to_vec());
    }
    Ok(records)
}

fn names_in(dir: &TempDir) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Ascending records that fill some blocks of the format.
fn wide_records(count: u8) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| vec![number; usize::from(WIDE)])
        .collect()
}

#[test]
fn records_come_back_as_written_with_a_digest_of_the_content_alone() {
    let dir = TempDir::new().unwrap();
    let records = wide_records(5);
    let info = write_run(dir.path(), "a", RunOrder::Ascending, &records).unwrap();
    let twin = write_run(dir.path(), "b", RunOrder::Ascending, &records).unwrap();
    let other = write_run(dir.path(), "c", RunOrder::Ascending, &records[1..]).unwrap();
    assert_eq!(info, twin);
    assert_ne!(info.digest, other.digest);
    assert_eq!(info.count, 5);
    assert_eq!(read_all(&dir.path().join("a"), WIDE).unwrap(), records);
    assert_eq!(names_in(&dir), ["a", "b", "c"]);
}

#[test]
fn the_file_is_laid_out_as_documented() {
    let dir = TempDir::new().unwrap();
    let records = [b"abcd".to_vec(), b"efgh".to_vec()];
    let info = write_run(dir.path(), "run", RunOrder::StrictlyAscending, &records).unwrap();
    let bytes = fs::read(dir.path().join("run")).unwrap();
    let mut header = b"MNDRUN1\0".to_vec();
    header.extend_from_slice(&[7, 0, 4, 0, 2, 0, 0, 0, 0, 0, 1, 0]);
    header.extend_from_slice(&[0; 12]);
    assert_eq!(bytes[..32], header);
    assert_eq!(&bytes[32..40], b"abcdefgh");
    let sha256 = |parts: &[&[u8]]| {
        use sha2::Digest as _;
        <[u8; 32]>::from(sha2::Sha256::digest(parts.concat()))
    };
    let (two, one, zero) = (
        2_u64.to_le_bytes(),
        1_u64.to_le_bytes(),
        0_u64.to_le_bytes(),
    );
    let block = sha256(&[b"mandorla run block 1\0", &header, &zero, b"abcdefgh"]);
    assert_eq!(bytes[40..72], block);
    let digest = sha256(&[b"mandorla run file 1\0", &header, &two, &one, &block]);
    assert_eq!(info.digest, digest);
    assert_eq!(
        bytes[72..],
        [&two[..], &one, &digest, b"MNDRUNE\0"].concat()
    );
}

#[test]
fn an_empty_run_is_a_run() {
    let dir = TempDir::new().unwrap();
    let info = write_run(dir.path(), "none", RunOrder::Ascending, &[]).unwrap();
    assert_eq!(info.count, 0);
    let mut reader = RunReader::open(&dir.path().join("none"), KIND, 4).unwrap();
    assert!(reader.next_record().unwrap().is_none());
    assert!(reader.next_records().unwrap().is_none());
    assert_eq!(reader.lower_bound(b"x").unwrap(), 0);
    assert!(matches!(
        reader.record(0),
        Err(RunError::NoSuchRecord { index: 0, count: 0 })
    ));
}

#[test]
fn a_record_out_of_order_is_refused_and_the_file_goes_on_without_it() {
    let dir = TempDir::new().unwrap();
    let mut writer =
        RunWriter::create(dir.path(), "run", KIND, 1, RunOrder::StrictlyAscending).unwrap();
    writer.push(b"b").unwrap();
    for record in [b"a", b"b"] {
        assert!(matches!(
            writer.push(record),
            Err(RunError::OutOfOrder { index: 1, .. })
        ));
    }
    assert!(matches!(
        writer.push(b"cc"),
        Err(RunError::Width {
            found: 2,
            wanted: 1
        })
    ));
    writer.push(b"c").unwrap();
    assert_eq!(writer.finish().unwrap().count, 2);
    assert_eq!(read_all(&dir.path().join("run"), 1).unwrap(), [b"b", b"c"]);

    let equal = [b"x".to_vec(), b"x".to_vec()];
    assert_eq!(
        write_run(dir.path(), "equal", RunOrder::Ascending, &equal)
            .unwrap()
            .count,
        2
    );
    let falling = [b"x".to_vec(), b"w".to_vec()];
    assert!(write_run(dir.path(), "falling", RunOrder::Ascending, &falling).is_err());
    assert!(write_run(dir.path(), "unsorted", RunOrder::Unsorted, &falling).is_ok());
}

#[test]
fn order_is_kept_across_blocks() {
    let dir = TempDir::new().unwrap();
    let mut records = wide_records(4);
    records.swap(1, 2);
    let refused = write_run(dir.path(), "run", RunOrder::Ascending, &records);
    assert!(matches!(
        refused,
        Err(RunError::OutOfOrder { index: 2, .. })
    ));
    assert!(names_in(&dir).is_empty());
}

#[test]
fn every_cut_of_a_file_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("run");
    write_run(
        dir.path(),
        "run",
        RunOrder::Ascending,
        &[b"abcd".to_vec(), b"efgh".to_vec()],
    )
    .unwrap();
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(RunReader::open(&path, KIND, 4).is_err(), "{length} bytes");
    }
    fs::write(&path, [whole, vec![0]].concat()).unwrap();
    assert!(matches!(
        RunReader::open(&path, KIND, 4),
        Err(RunError::NotARunFile { .. })
    ));
}

#[test]
fn another_kind_or_width_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("run");
    write_run(dir.path(), "run", RunOrder::Ascending, &[b"abcd".to_vec()]).unwrap();
    assert!(matches!(
        RunReader::open(&path, RunKind(8), 4),
        Err(RunError::OtherKind { .. })
    ));
    assert!(matches!(
        RunReader::open(&path, KIND, 2),
        Err(RunError::OtherKind { .. })
    ));
    assert!(RunReader::open(&path, KIND, 4).is_ok());
}

#[test]
fn a_block_is_verified_before_its_records_are_handed_out() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("run");
    write_run(dir.path(), "run", RunOrder::Ascending, &wide_records(5)).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    // In the third record, which is the first of the second block of two.
    bytes[32 + 2 * usize::from(WIDE)] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut reader = RunReader::open(&path, KIND, WIDE).unwrap();
    assert!(reader.next_record().unwrap().is_some());
    assert!(reader.next_record().unwrap().is_some());
    assert!(matches!(
        reader.next_record(),
        Err(RunError::DamagedBlock { block: 1, .. })
    ));
    assert!(matches!(
        reader.record(3),
        Err(RunError::DamagedBlock { block: 1, .. })
    ));
    assert!(reader.record(4).is_ok());
    assert!(matches!(
        reader.verify(),
        Err(RunError::DamagedBlock { block: 1, .. })
    ));
}

#[test]
fn an_abandoned_writer_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let mut writer = RunWriter::create(dir.path(), "run", KIND, 4, RunOrder::Unsorted).unwrap();
    writer.push(b"abcd").unwrap();
    assert_eq!(names_in(&dir).len(), 1);
    drop(writer);
    assert!(names_in(&dir).is_empty());
}

#[test]
fn a_run_is_never_replaced() {
    let dir = TempDir::new().unwrap();
    write_run(dir.path(), "run", RunOrder::Ascending, &[b"old!".to_vec()]).unwrap();
    let again = write_run(dir.path(), "run", RunOrder::Ascending, &[b"new!".to_vec()]);
    assert!(matches!(again, Err(RunError::Exists { .. })));

    // Nor by the slower of two writers of one name.
    let mut slower = RunWriter::create(dir.path(), "race", KIND, 4, RunOrder::Unsorted).unwrap();
    slower.push(b"slow").unwrap();
    write_run(dir.path(), "race", RunOrder::Ascending, &[b"fast".to_vec()]).unwrap();
    assert!(matches!(slower.finish(), Err(RunError::Exists { .. })));
    assert_eq!(read_all(&dir.path().join("race"), 4).unwrap(), [b"fast"]);
    assert_eq!(names_in(&dir), ["race", "run"]);
}

#[test]
fn names_that_leave_the_folder_or_look_temporary_are_refused() {
    let dir = TempDir::new().unwrap();
    for name in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        ".hidden",
        "x.tmp-0123456789abcdef",
        "nul\0",
    ] {
        let refused = RunWriter::create(dir.path(), name, KIND, 4, RunOrder::Unsorted);
        assert!(
            matches!(refused.err(), Some(RunError::Name { .. })),
            "{name:?}"
        );
    }
    let refused = RunWriter::create(dir.path(), "x", KIND, 0, RunOrder::Unsorted);
    assert!(matches!(refused.err(), Some(RunError::EmptyRecords)));
    assert!(names_in(&dir).is_empty());
}

#[test]
fn leftovers_of_a_crash_are_removed_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let writer = RunWriter::create(dir.path(), "cells", KIND, 4, RunOrder::Unsorted).unwrap();
    // A crash: the writer's destructor never runs.
    std::mem::forget(writer);
    write_run(
        dir.path(),
        "points",
        RunOrder::Ascending,
        &[b"abcd".to_vec()],
    )
    .unwrap();
    fs::write(dir.path().join("notes.tmp-by-hand"), "kept").unwrap();
    fs::create_dir(dir.path().join("round")).unwrap();
    fs::write(dir.path().join("round/cells.tmp-0011223344556677"), "half").unwrap();
    assert_eq!(remove_leftovers(dir.path()).unwrap(), 2);
    assert_eq!(names_in(&dir), ["notes.tmp-by-hand", "points", "round"]);
    assert_eq!(fs::read_dir(dir.path().join("round")).unwrap().count(), 0);
}

#[test]
fn removing_removes() {
    let dir = TempDir::new().unwrap();
    write_run(dir.path(), "run", RunOrder::Ascending, &[b"abcd".to_vec()]).unwrap();
    remove_durably(&dir.path().join("run")).unwrap();
    assert!(names_in(&dir).is_empty());
    assert!(matches!(
        remove_durably(&dir.path().join("run")),
        Err(RunError::Io { .. })
    ));
}

/// A disk that is full after some bytes, once or for ever, or fails to sync.
struct FullDisk {
    file: File,
    bytes_left: usize,
    recovers: bool,
    syncs: bool,
}

impl Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes_left == 0 {
            if self.recovers {
                self.bytes_left = usize::MAX;
            }
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = self
            .file
            .write(&bytes[..bytes.len().min(self.bytes_left)])?;
        self.bytes_left -= written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Sink for FullDisk {
    fn sync(&mut self) -> io::Result<()> {
        if self.syncs {
            self.file.sync_all()
        } else {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
}

/// Writes five wide records to a disk made by `wrap`; errors of `push` are ignored, as a careless
/// caller might.
fn write_to_disk(dir: &TempDir, wrap: impl FnOnce(File) -> FullDisk) -> Result<RunInfo, RunError> {
    let header = Header {
        kind: KIND,
        record_bytes: WIDE,
        order: RunOrder::Ascending,
    };
    let mut writer =
        RunWriter::create_into(dir.path(), "run", header, |file| Box::new(wrap(file)))?;
    for record in wide_records(5) {
        let _ = writer.push(&record);
    }
    writer.finish()
}

#[test]
fn a_full_disk_leaves_nothing_under_the_final_name() {
    let whole = 32 + 5 * usize::from(WIDE) + 3 * 32 + 56;
    let ends = [
        0,
        1,
        31,
        32,
        33,
        60_032,
        60_033,
        120_031,
        whole - 57,
        whole - 56,
        whole - 1,
    ];
    for bytes_left in ends {
        // Also where space is found again after the first failure.
        for recovers in [false, true] {
            let dir = TempDir::new().unwrap();
            let disk = |file| FullDisk {
                file,
                bytes_left,
                recovers,
                syncs: true,
            };
            assert!(write_to_disk(&dir, disk).is_err(), "{bytes_left} bytes");
            assert!(names_in(&dir).is_empty(), "{bytes_left} bytes");
        }
    }
    let disk = |syncs| {
        move |file| FullDisk {
            file,
            bytes_left: whole,
            recovers: false,
            syncs,
        }
    };
    let dir = TempDir::new().unwrap();
    assert!(matches!(
        write_to_disk(&dir, disk(false)),
        Err(RunError::Io { .. })
    ));
    assert!(names_in(&dir).is_empty());
    write_to_disk(&dir, disk(true)).unwrap();
    assert_eq!(
        read_all(&dir.path().join("run"), WIDE).unwrap(),
        wide_records(5)
    );
}

fn sort(
    dir: &TempDir,
    records: &[Vec<u8>],
    memory_bytes_max: usize,
    order: RunOrder,
) -> Result<RunInfo, RunError> {
    let records = records.iter().map(Ok::<_, RunError>);
    sort_to_run(
        records,
        memory_bytes_max,
        dir.path(),
        "sorted",
        KIND,
        4,
        order,
    )
}

#[test]
fn a_sort_with_more_spills_than_can_be_merged_at_once_is_right() {
    let dir = TempDir::new().unwrap();
    // Memory for two records: 150 spills.
    let records: Vec<Vec<u8>> = (0..300_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes().to_vec())
        .collect();
    let info = sort(&dir, &records, 16, RunOrder::StrictlyAscending).unwrap();
    assert_eq!(info.count, 300);
    let mut expected = records;
    expected.sort();
    assert_eq!(read_all(&dir.path().join("sorted"), 4).unwrap(), expected);
    assert_eq!(names_in(&dir), ["sorted"]);
}

#[test]
fn a_sort_that_fails_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let twice: Vec<Vec<u8>> = (0..20_u32)
        .map(|n| (n % 19).to_be_bytes().to_vec())
        .collect();
    for memory_bytes_max in [0, 16, 1 << 20] {
        let refused = sort(&dir, &twice, memory_bytes_max, RunOrder::StrictlyAscending);
        assert!(matches!(refused, Err(RunError::OutOfOrder { .. })));
        assert!(names_in(&dir).is_empty());
    }
    let refused = sort(&dir, &twice, 16, RunOrder::Unsorted);
    assert!(matches!(refused, Err(RunError::NoOrder)));
    let narrow = [vec![0; 4], vec![0; 3]];
    assert!(matches!(
        sort(&dir, &narrow, 16, RunOrder::Ascending),
        Err(RunError::Width { .. })
    ));
    let broken = (0..9_u32).map(|n| {
        if n < 8 {
            Ok(n.to_be_bytes())
        } else {
            Err(RunError::Broken)
        }
    });
    let refused = sort_to_run(
        broken,
        16,
        dir.path(),
        "sorted",
        KIND,
        4,
        RunOrder::Ascending,
    );
    assert!(matches!(refused, Err(RunError::Broken)));
    assert!(names_in(&dir).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_changed_byte_is_found(
        count in 1_u8..8, place in any::<prop::sample::Index>(), change in 1_u8..,
    ) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("run");
        write_run(dir.path(), "run", RunOrder::Ascending, &wide_records(count)).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let at = place.index(bytes.len());
        bytes[at] ^= change;
        fs::write(&path, bytes).unwrap();
        prop_assert!(read_all(&path, WIDE).is_err(), "byte {}", at);
        let verified = RunReader::open(&path, KIND, WIDE).and_then(|mut reader| reader.verify());
        prop_assert!(verified.is_err(), "byte {}", at);
    }

    #[test]
    fn any_changed_byte_of_header_table_and_footer_is_found_on_opening(
        count in 0_u8..8, place in any::<prop::sample::Index>(), change in 1_u8..,
    ) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("run");
        let records: Vec<Vec<u8>> = (0..count).map(|n| vec![n; 4]).collect();
        write_run(dir.path(), "run", RunOrder::Ascending, &records).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let around = bytes.len() - 4 * usize::from(count);
        let mut at = place.index(around);
        if at >= 32 {
            at += 4 * usize::from(count);
        }
        bytes[at] ^= change;
        fs::write(&path, bytes).unwrap();
        prop_assert!(RunReader::open(&path, KIND, 4).is_err(), "byte {}", at);
    }

    #[test]
    fn an_external_sort_equals_a_sort_in_memory(
        numbers in prop::collection::vec(0_u32..500, 0..400), memory_bytes_max in 0_usize..6000,
    ) {
        let dir = TempDir::new().unwrap();
        let mut records: Vec<Vec<u8>> = numbers.iter().map(|n| n.to_be_bytes().to_vec()).collect();
        let info = sort(&dir, &records, memory_bytes_max, RunOrder::Ascending).unwrap();
        records.sort();
        prop_assert_eq!(info.count, records.len() as u64);
        prop_assert_eq!(read_all(&dir.path().join("sorted"), 4).unwrap(), records);
        prop_assert_eq!(names_in(&dir), ["sorted"]);
    }

    #[test]
    fn a_search_finds_the_first_record_not_less_than_the_key(
        mut records in prop::collection::vec(prop::collection::vec(any::<u8>(), 4), 1..200),
        key in prop::collection::vec(any::<u8>(), 0..=4),
    ) {
        let dir = TempDir::new().unwrap();
        records.sort();
        write_run(dir.path(), "run", RunOrder::Ascending, &records).unwrap();
        let mut reader = RunReader::open(&dir.path().join("run"), KIND, 4).unwrap();
        let expected = records.partition_point(|record| record[..key.len()] < key[..]);
        prop_assert_eq!(reader.lower_bound(&key).unwrap(), expected as u64);
        reader.seek(expected as u64).unwrap();
        prop_assert_eq!(reader.next_record().unwrap(), records.get(expected).map(Vec::as_slice));
    }

    #[test]
    fn blocks_and_records_tell_the_same(count in 0_u8..9, start in any::<prop::sample::Index>()) {
        let dir = TempDir::new().unwrap();
        let records = wide_records(count);
        let record_bytes = if count == 0 { 4 } else { WIDE };
        write_run(dir.path(), "run", RunOrder::Ascending, &records).unwrap();
        let mut reader = RunReader::open(&dir.path().join("run"), KIND, record_bytes).unwrap();
        let start = start.index(records.len() + 1);
        reader.seek(start as u64).unwrap();
        let mut read = Vec::new();
        while let Some(block) = reader.next_records().unwrap() {
            read.extend_from_slice(block);
        }
        prop_assert_eq!(read, records[start..].concat());
    }
}
