//! The bytes of the file on their way to the CSV reader: hashed, counted, freed of a byte order mark.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::LoadError;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Wraps the reader of a table.
///
/// It refuses to hand on more than `row_bytes_max` bytes between two calls of [`row_ended`](Self::row_ended), so a
/// quote left open cannot make the CSV reader buffer the rest of the file.
pub(super) struct Source<R> {
    inner: R,
    head: Vec<u8>,
    sha256: Sha256,
    bytes_read: u64,
    row_bytes_max: u64,
    since_row_end: Cell<u64>,
    /// The bytes handed on last, and how many were handed on before them.
    chunk: Vec<u8>,
    chunk_start: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("row longer than {row_bytes_max} bytes")]
pub(super) struct RowTooLong {
    pub(super) row_bytes_max: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn open(mut inner: R, row_bytes_max: u64) -> Result<Self, LoadError> {
        let mut head = Vec::new();
        inner
            .by_ref()
            .take(BYTE_ORDER_MARK.len() as u64)
            .read_to_end(&mut head)?;
        if head.is_empty() {
            return Err(LoadError::Empty);
        }
        if head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF") {
            return Err(LoadError::NotUtf8 {
                hint: Some("UTF-16"),
            });
        }
        let mut sha256 = Sha256::new();
        sha256.update(&head);
        let bytes_read = head.len() as u64;
        if head == BYTE_ORDER_MARK {
            head.clear();
        }
        Ok(Self {
            inner,
            head,
            sha256,
            bytes_read,
            row_bytes_max,
            since_row_end: Cell::new(0),
            chunk: Vec::new(),
            chunk_start: 0,
        })
    }

    /// Tells that the CSV reader has completed a row.
    pub(super) fn row_ended(&self) {
        self.since_row_end.set(0);
    }

    /// The byte before this position in what was handed on, as far as it is still known.
    pub(super) fn byte_before(&self, position: u64) -> Option<u8> {
        let index = position.checked_sub(self.chunk_start + 1)?;
        self.chunk.get(usize::try_from(index).ok()?).copied()
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    pub(super) fn sha256_hex(self) -> String {
        self.sha256
            .finalize()
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
                hex
            })
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = if self.head.is_empty() {
            let count = self.inner.read(buffer)?;
            self.sha256.update(&buffer[..count]);
            self.bytes_read += count as u64;
            count
        } else {
            let count = self.head.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.head[..count]);
            self.head.drain(..count);
            count
        };
        if count > 0 {
            self.chunk_start += self.chunk.len() as u64;
            self.chunk.clear();
            self.chunk.extend_from_slice(&buffer[..count]);
        }
        let since = self.since_row_end.get() + count as u64;
        self.since_row_end.set(since);
        if since > self.row_bytes_max {
            let row_bytes_max = self.row_bytes_max;
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                RowTooLong { row_bytes_max },
            ));
        }
        Ok(count)
    }
}
