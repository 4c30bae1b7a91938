use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use zeroize::Zeroizing;

use super::error::RunError;
use super::format::{DIGEST_BYTES, Footer, Header, RunKind, RunOrder, block_digest, file_digest};
use super::temporary::TemporaryFile;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunInfo {
    /// Names the content: kind, width, order and all records.
    pub digest: [u8; DIGEST_BYTES],
    /// How many records.
    pub count: u64,
}

/// Where a run file's bytes go.
pub(super) trait Sink: Write {
    /// Makes durable what was written.
    fn sync(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Writes a run file record by record. Until [`finish`](Self::finish) nothing exists under the
/// final name; dropped before, it leaves nothing at all.
pub struct RunWriter {
    encoder: Encoder<Box<dyn Sink + Send>>,
    temporary: TemporaryFile,
}

impl RunWriter {
    /// Begins the file `<dir>/<name>` of records of `record_bytes` bytes.
    pub fn create(
        dir: &Path,
        name: &str,
        kind: RunKind,
        record_bytes: u16,
        order: RunOrder,
    ) -> Result<Self, RunError> {
        Self::create_into(
            dir,
            name,
            Header {
                kind,
                record_bytes,
                order,
            },
            |file| Box::new(file),
        )
    }

    /// As [`create`](Self::create), with something between the encoder and the file.
    pub(super) fn create_into(
        dir: &Path,
        name: &str,
        header: Header,
        wrap: impl FnOnce(File) -> Box<dyn Sink + Send>,
    ) -> Result<Self, RunError> {
        if header.record_bytes == 0 {
            return Err(RunError::EmptyRecords);
        }
        let target = dir.join(name);
        let (temporary, file) = TemporaryFile::create(dir, name)?;
        // Publishing refuses too, but after the work.
        if target.symlink_metadata().is_ok() {
            return Err(RunError::Exists { path: target });
        }
        let encoder =
            Encoder::new(wrap(file), header).map_err(RunError::io("write", temporary.path()))?;
        Ok(Self { encoder, temporary })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// [`RunError::Width`] and [`RunError::OutOfOrder`] leave the file as it was; after any other
    /// error it cannot be finished.
    pub fn push(&mut self, record: &[u8]) -> Result<(), RunError> {
        let header = self.encoder.header;
        if record.len() != usize::from(header.record_bytes) {
            return Err(RunError::Width {
                found: record.len(),
                wanted: header.record_bytes,
            });
        }
        if !self.encoder.admits(record) {
            let index = self.encoder.records;
            return Err(RunError::OutOfOrder {
                index,
                order: header.order,
            });
        }
        self.encoder
            .push(record)
            .map_err(RunError::io("write", self.temporary.path()))
    }

    /// How many records were pushed.
    pub fn count(&self) -> u64 {
        self.encoder.records
    }

    /// Completes the file, makes it durable and gives it its name.
    pub fn finish(self) -> Result<RunInfo, RunError> {
        let Self { encoder, temporary } = self;
        if encoder.broken {
            return Err(RunError::Broken);
        }
        let (mut sink, info) = encoder
            .finish()
            .map_err(RunError::io("write", temporary.path()))?;
        sink.sync()
            .map_err(RunError::io("make durable", temporary.path()))?;
        temporary.publish()?;
        Ok(info)
    }
}

/// Turns records into the bytes of a run file.
pub(super) struct Encoder<W: Write> {
    sink: W,
    header: Header,
    records: u64,
    /// The records of the unfinished block, in a buffer of full size so that it never moves.
    block: Zeroizing<Vec<u8>>,
    /// The last record pushed; empty before the first.
    last: Zeroizing<Vec<u8>>,
    table: Vec<[u8; DIGEST_BYTES]>,
    broken: bool,
}

impl<W: Write> Encoder<W> {
    pub(super) fn new(mut sink: W, header: Header) -> io::Result<Self> {
        sink.write_all(&header.to_bytes())?;
        Ok(Self {
            sink,
            header,
            records: 0,
            block: Zeroizing::new(Vec::with_capacity(header.block_bytes())),
            last: Zeroizing::new(Vec::with_capacity(usize::from(header.record_bytes))),
            table: Vec::new(),
            broken: false,
        })
    }

    fn admits(&self, record: &[u8]) -> bool {
        self.records == 0 || self.header.order.admits(&self.last, record)
    }

    /// Appends a record of the right width and order.
    pub(super) fn push(&mut self, record: &[u8]) -> io::Result<()> {
        debug_assert_eq!(record.len(), usize::from(self.header.record_bytes));
        if self.block.len() == self.header.block_bytes() {
            self.write_block()?;
        }
        self.block.extend_from_slice(record);
        self.last.clear();
        self.last.extend_from_slice(record);
        self.records += 1;
        Ok(())
    }

    /// Writes the last block, the table and the footer.
    pub(super) fn finish(mut self) -> io::Result<(W, RunInfo)> {
        if !self.block.is_empty() {
            self.write_block()?;
        }
        let digest = file_digest(self.header, self.records, &self.table);
        let footer = Footer {
            records: self.records,
            blocks: self.table.len() as u64,
            digest,
        };
        self.sink.write_all(self.table.as_flattened())?;
        self.sink.write_all(&footer.to_bytes())?;
        self.sink.flush()?;
        Ok((
            self.sink,
            RunInfo {
                digest,
                count: self.records,
            },
        ))
    }

    fn write_block(&mut self) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write failed"));
        }
        // A failed write may have written a part: what follows would stand in the wrong place.
        self.broken = true;
        self.sink.write_all(&self.block)?;
        self.broken = false;
        self.table.push(block_digest(
            self.header,
            self.table.len() as u64,
            &self.block,
        ));
        self.block.clear();
        Ok(())
    }
}
