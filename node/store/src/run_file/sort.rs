//! External merge sort: from any number of records in any order to a sorted run file.
//!
//! ```text
//! records ─► fill memory ─► sort ─► spill 1 ┐
//!            fill memory ─► sort ─► spill 2 ├─► merge ─► merge … ─► run file
//!            fill memory ─► sort ─► spill 3 ┘   at most SORT_FAN_IN_MAX at a time
//! ```

use std::cmp::Ordering;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, VecDeque};
use std::fs::File;
use std::path::Path;

use zeroize::Zeroizing;

use super::error::RunError;
use super::format::{Header, RunKind, RunOrder};
use super::reader::RunReader;
use super::temporary::TemporaryFile;
use super::writer::{Encoder, RunInfo, RunWriter};

/// Most spills merged at once. Each takes an open file and a block of memory, 4 MiB together.
pub const SORT_FAN_IN_MAX: usize = 64;

/// Bytes of the index that is sorted in place of a record.
const INDEX_BYTES: usize = size_of::<u32>();

/// Sorts records into the run file `<dir>/<name>`, in order `Ascending` or, if no two may be equal,
/// `StrictlyAscending`.
///
/// Takes `memory_bytes_max` for the records held at a time and at most 4 MiB for merging, and as
/// much space in `dir` as the records take, for spills under temporary names.
///
/// # Errors
/// [`RunError::NoOrder`] for `Unsorted`; those of [`RunWriter`], among them [`RunError::OutOfOrder`] for equal records in a strict file;
/// an error of the iterator ends the sort with that error. Nothing is left behind.
pub fn sort_to_run<R: AsRef<[u8]>, E: From<RunError>>(
    records: impl IntoIterator<Item = Result<R, E>>,
    memory_bytes_max: usize,
    dir: &Path,
    name: &str,
    kind: RunKind,
    record_bytes: u16,
    order: RunOrder,
) -> Result<RunInfo, E> {
    if order == RunOrder::Unsorted {
        return Err(RunError::NoOrder.into());
    }
    // Refuses a bad or taken name before the first record is read.
    let mut output = RunWriter::create(dir, name, kind, record_bytes, order)?;
    // Spills may repeat records that a strict file then refuses.
    let spill_header = Header {
        kind,
        record_bytes,
        order: RunOrder::Ascending,
    };
    let mut buffer = Buffer::new(usize::from(record_bytes), memory_bytes_max);
    let mut spills = VecDeque::new();
    for record in records {
        let record = record?;
        let record = record.as_ref();
        if record.len() != usize::from(record_bytes) {
            let error = RunError::Width {
                found: record.len(),
                wanted: record_bytes,
            };
            return Err(error.into());
        }
        if buffer.is_full() {
            spills.push_back(buffer.spill(dir, name, spill_header)?);
        }
        buffer.push(record);
    }
    if spills.is_empty() {
        buffer.drain_sorted(|record| output.push(record))?;
        return Ok(output.finish()?);
    }
    spills.push_back(buffer.spill(dir, name, spill_header)?);
    drop(buffer);
    while spills.len() > SORT_FAN_IN_MAX {
        let few: Vec<Spill> = spills.drain(..SORT_FAN_IN_MAX).collect();
        let merged = Spill::write(dir, name, spill_header, |push| merge(few, push))?;
        spills.push_back(merged);
    }
    merge(spills.into(), &mut |record| output.push(record))?;
    Ok(output.finish()?)
}

/// Records in memory, and an index of them that is sorted in their place.
struct Buffer {
    record_bytes: usize,
    records_max: usize,
    records: Zeroizing<Vec<u8>>,
}

impl Buffer {
    fn new(record_bytes: usize, memory_bytes_max: usize) -> Self {
        let records_max = memory_bytes_max / (record_bytes + INDEX_BYTES);
        let records_max = records_max.clamp(1, u32::MAX as usize);
        Self {
            record_bytes,
            records_max,
            records: Zeroizing::new(Vec::new()),
        }
    }

    fn is_full(&self) -> bool {
        self.records.len() == self.records_max * self.record_bytes
    }

    fn push(&mut self, record: &[u8]) {
        if self.records.capacity() == 0 {
            // Once and in full: growing would leave copies of records behind.
            self.records
                .reserve_exact(self.records_max * self.record_bytes);
        }
        self.records.extend_from_slice(record);
    }

    /// Hands out the records in ascending order, and forgets them.
    fn drain_sorted(
        &mut self,
        mut push: impl FnMut(&[u8]) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        let record =
            |index: u32| &self.records[index as usize * self.record_bytes..][..self.record_bytes];
        let count = self.records.len() / self.record_bytes;
        let mut order: Vec<u32> = (0..count as u32).collect();
        order.sort_unstable_by(|a, b| record(*a).cmp(record(*b)));
        order
            .into_iter()
            .try_for_each(|index| push(record(index)))?;
        self.records.clear();
        Ok(())
    }

    fn spill(&mut self, dir: &Path, name: &str, header: Header) -> Result<Spill, RunError> {
        Spill::write(dir, name, header, |push| self.drain_sorted(push))
    }
}

/// A sorted part: a run file under a temporary name, removed when dropped.
struct Spill {
    reader: RunReader,
    _file: TemporaryFile,
}

impl Spill {
    fn write(
        dir: &Path,
        name: &str,
        header: Header,
        fill: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), RunError>) -> Result<(), RunError>,
    ) -> Result<Self, RunError> {
        let (temporary, file) = TemporaryFile::create(dir, name)?;
        let path = temporary.path();
        let mut encoder = Encoder::new(file, header).map_err(RunError::io("write", path))?;
        fill(&mut |record| encoder.push(record).map_err(RunError::io("write", path)))?;
        let (file, _): (File, _) = encoder.finish().map_err(RunError::io("write", path))?;
        let reader = RunReader::from_file(file, path, header.kind, header.record_bytes)?;
        Ok(Self {
            reader,
            _file: temporary,
        })
    }
}

/// Merges sorted spills, and removes them.
fn merge(
    mut spills: Vec<Spill>,
    push: &mut dyn FnMut(&[u8]) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let mut heads = BinaryHeap::with_capacity(spills.len());
    for (spill, source) in spills.iter_mut().enumerate() {
        if let Some(record) = source.reader.next_record()? {
            heads.push(Head {
                record: Zeroizing::new(record.to_vec()),
                spill,
            });
        }
    }
    while let Some(mut head) = heads.peek_mut() {
        push(&head.record)?;
        match spills[head.spill].reader.next_record()? {
            // Refilled in place; the heap reorders itself when `head` is dropped.
            Some(next) => head.record.copy_from_slice(next),
            None => drop(PeekMut::pop(head)),
        }
    }
    Ok(())
}

/// The least record not yet merged of a spill. The greatest head is the one with the least record,
/// because a `BinaryHeap` hands out its greatest element.
struct Head {
    record: Zeroizing<Vec<u8>>,
    spill: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        other.record.as_slice().cmp(self.record.as_slice())
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}
