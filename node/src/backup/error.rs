//! Why a backup cannot be made, read or put back.

use std::io;
use std::path::PathBuf;

use mandorla_control::{ApiError, ErrorCode};
use mandorla_store::{LedgerFault, StoreError};

use super::stream::VERSION;
use crate::config::ConfigError;
use crate::identity::IdentityError;
use crate::permissions::PermissionError;

/// Why a backup cannot be made, read or put back. Carries numbers and paths, never what a backup holds.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The passphrase does not open the file.
    #[error("the passphrase does not open this backup")]
    WrongPassphrase,
    /// The file's beginning is not what was written.
    #[error("the header of the backup was altered")]
    HeaderDamaged,
    /// The file is something else.
    #[error("the file is not a backup of this program")]
    NotABackup,
    /// Another version of the program wrote it.
    #[error(
        "the backup has version {found} of the file format; this program reads version {VERSION}"
    )]
    OtherVersion {
        /// The version in the file.
        found: u32,
    },
    /// A newer version of the program wrote it.
    #[error(
        "the backup holds tables of schema version {found}; this program knows versions up to {known}"
    )]
    NewerSchema {
        /// The version in the file.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// A chunk does not verify.
    #[error("chunk {chunk} of the backup was altered, or the file is cut short within it")]
    Damaged {
        /// Which, from 0.
        chunk: u64,
    },
    /// The end is missing.
    #[error("the backup is cut short: it ends after {chunks} chunks, and more were written")]
    CutShort {
        /// Chunks that are there.
        chunks: u64,
    },
    /// What was decrypted is not what a backup holds.
    #[error("the backup does not hold what a backup holds: {0}")]
    Content(&'static str),
    /// The ledger in it does not hold together.
    #[error("the ledger in the backup: {0}")]
    Ledger(#[source] Box<LedgerFault>),
    /// A pair log in it does not hold together.
    #[error("pair log {log} in the backup: {fault}")]
    PairLog {
        /// `<peer>/<direction>`.
        log: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// The database has a table that no backup knows: a fault of the program.
    #[error("table {table} is neither in a backup nor left out of one")]
    UnknownTable {
        /// Its name.
        table: String,
    },
    /// The directory that is to hold the restored node holds something.
    #[error("{} holds {found:?} already; a backup is restored into an empty directory", data_dir.display())]
    NotEmpty {
        /// The directory.
        data_dir: PathBuf,
        /// One of the things in it.
        found: String,
    },
    /// The keys are those of another node.
    #[error("the {which} key in {} is not that of the node whose backup this is", path.display())]
    OtherKeys {
        /// `signing`, `transport` or `release`.
        which: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Others could enter the directory that is to hold the restored node.
    #[error(transparent)]
    Permission(#[from] PermissionError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] IdentityError),
    /// The configuration in the backup, or on disk, cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reading the backup failed.
    #[error("the backup cannot be read: {source}")]
    Reading {
        /// Why.
        source: io::Error,
    },
    /// Writing the backup failed.
    #[error("the backup cannot be written: {source}")]
    Writing {
        /// Why.
        source: io::Error,
    },
    /// A file of the restored node cannot be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BackupError {
    pub(super) fn writing(source: io::Error) -> Self {
        Self::Writing { source }
    }

    /// The code that the command line reports it under.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::WrongPassphrase => ErrorCode::WrongPassphrase,
            Self::NotABackup | Self::Reading { .. } | Self::Writing { .. } => ErrorCode::BadFile,
            Self::OtherVersion { .. } | Self::NewerSchema { .. } => ErrorCode::NewerVersion,
            Self::HeaderDamaged
            | Self::Damaged { .. }
            | Self::CutShort { .. }
            | Self::Content(_)
            | Self::Ledger(_)
            | Self::PairLog { .. } => ErrorCode::BadBackup,
            Self::UnknownTable { .. } => ErrorCode::Internal,
            Self::NotEmpty { .. } => ErrorCode::Exists,
            Self::OtherKeys { .. } => ErrorCode::OtherKeys,
            Self::Config(_) => ErrorCode::BadConfig,
            Self::Keys(error) => error.code(),
            Self::Permission(_) => ErrorCode::OpenToOthers,
            Self::Store(_) | Self::Io { .. } => ErrorCode::Storage,
        }
    }

    /// What to do.
    pub fn hint(&self) -> String {
        let fixed = match self {
            Self::WrongPassphrase => "try the passphrase of the day the backup was made",
            Self::NotABackup => "name a file that mandorla backup create made",
            Self::OtherVersion { .. } | Self::NewerSchema { .. } => {
                "run the version of the program that made it: mandorla version"
            }
            Self::HeaderDamaged | Self::Damaged { .. } | Self::CutShort { .. } => {
                "take another copy of the file, or an earlier backup; mandorla backup verify FILE finds a whole one"
            }
            Self::Content(_) | Self::Ledger(_) | Self::PairLog { .. } => {
                "take an earlier backup and tell the auditor: what was copied was not intact"
            }
            Self::UnknownTable { .. } => {
                "report this fault; until then stop the node and copy its directory"
            }
            Self::NotEmpty { .. } => {
                "name another directory with --data-dir, or move away what is in this one"
            }
            Self::OtherKeys { .. } => {
                "name the copy of keys.toml that belongs to this node with --keys; if it is lost, see docs/guides/recover.md"
            }
            Self::Keys(error) => return error.hint(),
            Self::Permission(error) => return error.hint(),
            Self::Config(_) => "correct node.toml in the data directory",
            Self::Store(_) | Self::Io { .. } => {
                "look at free space and owner of the data directory, then run the command again: nothing was kept"
            }
            Self::Reading { .. } => "look at the file and its owner",
            Self::Writing { .. } => "make room, and run the command again: nothing was kept",
        };
        fixed.to_owned()
    }
}

impl From<LedgerFault> for BackupError {
    fn from(fault: LedgerFault) -> Self {
        Self::Ledger(Box::new(fault))
    }
}

impl From<BackupError> for ApiError {
    fn from(error: BackupError) -> Self {
        Self::new(error.code(), error.to_string()).hint(error.hint())
    }
}
