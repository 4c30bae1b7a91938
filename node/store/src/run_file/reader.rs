use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::RunError;
use super::format::{
    DIGEST_BYTES, FOOTER_BYTES, Footer, HEADER_BYTES, Header, RunKind, RunOrder, block_digest,
    file_digest,
};

/// Reads a run file: from front to end, by index, or by binary search.
///
/// Holds one block and the table of checksums (1/2000 of the file) in memory. No record is handed
/// out before its block's checksum was verified.
pub struct RunReader {
    file: File,
    path: PathBuf,
    header: Header,
    footer: Footer,
    table: Vec<[u8; DIGEST_BYTES]>,
    /// The records of the block in memory, if any.
    block: Zeroizing<Vec<u8>>,
    block_index: Option<u64>,
    /// The index of the record that [`next_record`](Self::next_record) returns.
    next: u64,
}

impl RunReader {
    /// Opens a run file, and checks its length, header, table and footer.
    ///
    /// # Errors
    /// [`RunError::NotARunFile`] if it is cut or something else, [`RunError::Damaged`] if it was
    /// changed, [`RunError::OtherKind`] if it holds other records than expected.
    pub fn open(path: &Path, kind: RunKind, record_bytes: u16) -> Result<Self, RunError> {
        let file = File::open(path).map_err(RunError::io("open", path))?;
        Self::from_file(file, path, kind, record_bytes)
    }

    pub(super) fn from_file(
        file: File,
        path: &Path,
        wanted: RunKind,
        wanted_bytes: u16,
    ) -> Result<Self, RunError> {
        let not_a_run_file = || RunError::NotARunFile {
            path: path.to_owned(),
        };
        let length = file
            .metadata()
            .map_err(RunError::io("examine", path))?
            .len();
        if length < (HEADER_BYTES + FOOTER_BYTES) as u64 {
            return Err(not_a_run_file());
        }
        let read = |bytes: &mut [u8], offset| {
            file.read_exact_at(bytes, offset)
                .map_err(RunError::io("read", path))
        };
        let mut bytes = [0; HEADER_BYTES];
        read(&mut bytes, 0)?;
        let header = Header::from_bytes(&bytes).ok_or_else(not_a_run_file)?;
        let mut bytes = [0; FOOTER_BYTES];
        read(&mut bytes, length - FOOTER_BYTES as u64)?;
        let footer = Footer::from_bytes(&bytes).ok_or_else(not_a_run_file)?;
        // Before anything is allocated by the counts: they then are no larger than the file.
        if footer.file_bytes(header) != Some(length) {
            return Err(not_a_run_file());
        }
        let mut table = vec![[0; DIGEST_BYTES]; footer.blocks as usize];
        let table_bytes = footer.blocks * DIGEST_BYTES as u64;
        read(
            table.as_flattened_mut(),
            length - FOOTER_BYTES as u64 - table_bytes,
        )?;
        if file_digest(header, footer.records, &table) != footer.digest {
            return Err(RunError::Damaged {
                path: path.to_owned(),
            });
        }
        if (header.kind, header.record_bytes) != (wanted, wanted_bytes) {
            return Err(RunError::OtherKind {
                path: path.to_owned(),
                found: header.kind,
                found_bytes: header.record_bytes,
                wanted,
                wanted_bytes,
            });
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            header,
            footer,
            table,
            block: Zeroizing::new(Vec::with_capacity(header.block_bytes())),
            block_index: None,
            next: 0,
        })
    }

    /// How many records the file has.
    pub fn count(&self) -> u64 {
        self.footer.records
    }

    /// The digest that [`RunWriter::finish`](super::RunWriter::finish) returned.
    pub fn digest(&self) -> [u8; DIGEST_BYTES] {
        self.footer.digest
    }

    /// The order the file promises.
    pub fn order(&self) -> RunOrder {
        self.header.order
    }

    /// The next record; `None` after the last.
    ///
    /// # Errors
    /// [`RunError::DamagedBlock`] if it stands in a block that was changed.
    pub fn next_record(&mut self) -> Result<Option<&[u8]>, RunError> {
        if self.next == self.count() {
            return Ok(None);
        }
        self.next += 1;
        self.record(self.next - 1).map(Some)
    }

    /// The records from the next one to the end of its block, without gaps; `None` after the last.
    /// For work that takes many at once.
    pub fn next_records(&mut self) -> Result<Option<&[u8]>, RunError> {
        if self.next == self.count() {
            return Ok(None);
        }
        let (block, offset) = self.place(self.next);
        self.load(block)?;
        let records = &self.block[offset..];
        self.next += (records.len() / usize::from(self.header.record_bytes)) as u64;
        Ok(Some(records))
    }

    /// Makes the record with this index the next one; the count itself stands for the end.
    pub fn seek(&mut self, index: u64) -> Result<(), RunError> {
        if index > self.count() {
            return Err(RunError::NoSuchRecord {
                index,
                count: self.count(),
            });
        }
        self.next = index;
        Ok(())
    }

    /// The record with this index. The next record stays what it was.
    pub fn record(&mut self, index: u64) -> Result<&[u8], RunError> {
        if index >= self.count() {
            return Err(RunError::NoSuchRecord {
                index,
                count: self.count(),
            });
        }
        let (block, offset) = self.place(index);
        self.load(block)?;
        Ok(&self.block[offset..][..usize::from(self.header.record_bytes)])
    }

    /// The index of the first record whose beginning is not less than `key`; the count if there is
    /// none. With a key as long as a record, the place of that record.
    ///
    /// # Errors
    /// [`RunError::NotSearchable`] in a file without order or by a key longer than a record.
    pub fn lower_bound(&mut self, key: &[u8]) -> Result<u64, RunError> {
        let searchable = self.header.order != RunOrder::Unsorted
            && key.len() <= usize::from(self.header.record_bytes);
        if !searchable {
            return Err(RunError::NotSearchable {
                path: self.path.clone(),
            });
        }
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            if &self.record(middle)?[..key.len()] < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Reads the whole file and verifies each block. The next record stays what it was.
    pub fn verify(&mut self) -> Result<(), RunError> {
        (0..self.footer.blocks).try_for_each(|block| self.load(block))
    }

    /// The block of a record and the record's place in it.
    fn place(&self, index: u64) -> (u64, usize) {
        let block_records = self.header.block_records() as u64;
        let offset = (index % block_records) as usize * usize::from(self.header.record_bytes);
        (index / block_records, offset)
    }

    /// Brings a block into memory, verified.
    fn load(&mut self, block: u64) -> Result<(), RunError> {
        if self.block_index == Some(block) {
            return Ok(());
        }
        self.block_index = None;
        let start = block * self.header.block_records() as u64;
        let records = (self.count() - start).min(self.header.block_records() as u64) as usize;
        self.block
            .resize(records * usize::from(self.header.record_bytes), 0);
        let offset = HEADER_BYTES as u64 + block * self.header.block_bytes() as u64;
        self.file
            .read_exact_at(&mut self.block, offset)
            .map_err(RunError::io("read", &self.path))?;
        if block_digest(self.header, block, &self.block) != self.table[block as usize] {
            return Err(RunError::DamagedBlock {
                path: self.path.clone(),
                block,
            });
        }
        self.block_index = Some(block);
        Ok(())
    }
}
