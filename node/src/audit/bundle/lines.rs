//! The lines of an export, as they stand in the file.

use std::io::{self, BufRead};

use mandorla_control::ExportHeader;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Longest line that is read: a header with 256 agreements of the largest size, or any entry.
const LINE_BYTES_MAX: u64 = 128 << 20;

/// A line of an export.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum BundleLine {
    /// The first.
    Header(Box<ExportHeader>),
    /// An entry that was left out.
    Hash {
        /// Its number.
        seq: u64,
        /// Its hash, hexadecimal.
        hash: String,
    },
    /// An entry.
    Leaf {
        /// Its number.
        seq: u64,
        /// The bytes that its hash covers.
        leaf: String,
    },
    /// A checkpoint.
    Checkpoint {
        /// Entries that it covers.
        size: u64,
        /// The note.
        note: String,
    },
    /// A leaf of a pair log.
    Fact {
        /// Number of the log in the header.
        log: usize,
        /// Its number.
        seq: u64,
        /// The bytes that its hash covers, hexadecimal.
        leaf: String,
    },
    /// The last.
    End {
        /// Lines before it.
        lines: u64,
        /// SHA-256 of their bytes, newlines included.
        sha256: String,
    },
}

/// An export, line by line, and its digest so far.
pub(super) struct Lines<R> {
    file: R,
    count: u64,
    /// Over all lines before the one read last, and over that one too.
    before: Sha256,
    digest: Sha256,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(file: R) -> Self {
        Self {
            file,
            count: 0,
            before: Sha256::new(),
            digest: Sha256::new(),
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<BundleLine>> {
        let mut line = Vec::new();
        let mut limited = io::Read::take(&mut self.file, LINE_BYTES_MAX);
        if limited.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        self.before = self.digest.clone();
        self.digest.update(&line);
        self.count += 1;
        let parsed = serde_json::from_slice(&line);
        parsed
            .map(Some)
            .map_err(|_| invalid(&format!("line {} is no line of an export", self.count)))
    }

    /// How many lines stand before the one read last.
    pub(super) fn count_before(&self) -> u64 {
        self.count.saturating_sub(1)
    }

    /// SHA-256 of the lines before the one read last, hexadecimal.
    pub(super) fn sha256_before(&self) -> String {
        hex::encode(self.before.clone().finalize())
    }
}

pub(super) fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}
