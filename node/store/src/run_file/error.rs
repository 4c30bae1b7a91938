use std::io;
use std::path::{Path, PathBuf};

use super::format::{RunKind, RunOrder};

/// Why a run file could not be written or read. Carries paths and numbers, never records.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The name is empty, begins with a dot, has a path separator, or looks like a temporary name.
    #[error("{name:?} cannot be the name of a run file")]
    Name {
        /// The name.
        name: String,
    },
    /// Records of no bytes.
    #[error("a run file needs records of at least one byte")]
    EmptyRecords,
    /// A file of this name exists; run files are never replaced.
    #[error("{} already exists", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A record of another width than the file's.
    #[error("a record of {found} bytes in a run file of {wanted}-byte records")]
    Width {
        /// Bytes of the record.
        found: usize,
        /// Bytes of the file's records.
        wanted: u16,
    },
    /// A record out of the order that the file promises. It was not written.
    #[error("record {index} is not in the order of the run file ({order:?})")]
    OutOfOrder {
        /// Its index, had it been written.
        index: u64,
        /// The file's order.
        order: RunOrder,
    },
    /// A sort into no order.
    #[error("a sorted run file needs an order to be sorted in")]
    NoOrder,
    /// An earlier write failed, so the file cannot be finished.
    #[error("the run file cannot be finished: an earlier write failed")]
    Broken,
    /// Too short, too long, or without the magic values: no run file, or a cut one.
    #[error("{} is not a whole run file", path.display())]
    NotARunFile {
        /// The file.
        path: PathBuf,
    },
    /// A sound header of another kind of file than was asked for.
    #[error(
        "{} holds {found_bytes}-byte records of kind {}, not {wanted_bytes}-byte records of kind {}",
        path.display(), found.0, wanted.0
    )]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// Its kind.
        found: RunKind,
        /// Bytes of its records.
        found_bytes: u16,
        /// The kind asked for.
        wanted: RunKind,
        /// The record bytes asked for.
        wanted_bytes: u16,
    },
    /// Header, table and footer do not fit one another.
    #[error("{} is damaged: its digest does not fit", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A block does not have the checksum in the table.
    #[error("{} is damaged: block {block} does not have its checksum", path.display())]
    DamagedBlock {
        /// The file.
        path: PathBuf,
        /// The block's index.
        block: u64,
    },
    /// A search in a file without order, or by a key longer than a record.
    #[error("{} cannot be searched by this key", path.display())]
    NotSearchable {
        /// The file.
        path: PathBuf,
    },
    /// No record has this index.
    #[error("record {index} of a run file of {count}")]
    NoSuchRecord {
        /// The index.
        index: u64,
        /// Records in the file.
        count: u64,
    },
    /// A file operation failed.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The operating system gave no random bytes for a temporary name.
    #[error("the operating system gave no random bytes")]
    Randomness(#[from] getrandom::Error),
}

impl RunError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
