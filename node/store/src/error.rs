use std::io;
use std::path::{Path, PathBuf};

use mandorla_protocol::checkpoint::NoteError;

use crate::ledger::verify::LedgerFault;

/// Why the store could not do what was asked. Carries paths, names and numbers, never stored values.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process, or another `Store` of this process, has the directory open.
    #[error(
        "the store in {} is in use by another process; \
         stop that node, or talk to it through its control socket", dir.display()
    )]
    InUse {
        /// The store's directory.
        dir: PathBuf,
    },
    /// Group or others may access the directory or the database file.
    #[error(
        "{} has mode {mode:04o}, which lets other accounts in; \
         it must be {wanted:04o} (chmod {wanted:o} {})", path.display(), path.display()
    )]
    OpenToOthers {
        /// The directory or file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they must be.
        wanted: u32,
    },
    /// The directory or file belongs to another account than the one the node runs under.
    #[error("{} belongs to user id {owner}, but the node runs as user id {runs_as}", path.display())]
    ForeignOwner {
        /// The directory or file.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// The effective user id of this process.
        runs_as: u32,
    },
    /// The path is something else than a directory, or the database than a regular file.
    #[error("{} is not a {wanted}", path.display())]
    WrongFileType {
        /// What was found in the way.
        path: PathBuf,
        /// What it should have been.
        wanted: &'static str,
    },
    /// The database was written by a newer version of the program.
    #[error(
        "the store has schema version {found}, this program knows versions up to {supported}; \
         run the newer program"
    )]
    NewerSchema {
        /// The version in the file.
        found: u32,
        /// The newest version this program can read.
        supported: u32,
    },
    /// The list of migrations has no path from the version in the file.
    #[error("no migration leads from schema version {from} to {to}")]
    NoMigration {
        /// The version in the file, or where the chain breaks off.
        from: u32,
        /// The version wanted.
        to: u32,
    },
    /// The file lacks what every store has from its creation: it is no store, or a damaged one.
    #[error("the database has no {what}: it is not a store of this program, or it is damaged")]
    NotAStore {
        /// What is missing.
        what: &'static str,
    },
    /// A record that a change needs is not there any more.
    #[error("there is no {what}")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// What a store is to be made of does not fit.
    #[error("the copy of a store has {what}")]
    BadCopy {
        /// What was found.
        what: &'static str,
    },
    /// A transaction of [`Store::write`](crate::Store::write) appended nothing to the ledger.
    #[error("a transaction that must be recorded appended no ledger entry; nothing was written")]
    NothingLogged,
    /// An earlier step of this transaction failed half-way and its error was ignored.
    #[error("an earlier ledger entry of this transaction failed; nothing was written")]
    BrokenTransaction,
    /// A ledger entry longer than [`LEDGER_LEAF_BYTES_MAX`](crate::LEDGER_LEAF_BYTES_MAX).
    #[error(
        "the ledger entry has {bytes} bytes; at most {} are allowed",
        crate::LEDGER_LEAF_BYTES_MAX
    )]
    EntryTooLong {
        /// Its length as JSON.
        bytes: usize,
    },
    /// No ledger entry has this sequence number, or no tree this size.
    #[error("the ledger has {size} entries; {wanted} was asked for")]
    OutsideLedger {
        /// The entry or size asked for.
        wanted: u64,
        /// Entries in the ledger.
        size: u64,
    },
    /// The ledger does not hold together.
    #[error("the ledger is not intact")]
    Ledger(#[source] Box<LedgerFault>),
    /// The node's name cannot stand in a signed checkpoint.
    #[error("a ledger checkpoint could not be signed")]
    Checkpoint(#[from] NoteError),
    /// A value could not be written as JSON.
    #[error("a value for table {table} cannot be written as JSON")]
    Encode {
        /// The table's name.
        table: &'static str,
    },
    /// A stored value is not what its table says. The JSON error's text would quote the value, so only its place is kept.
    #[error("a value in table {table} cannot be read (line {line}, column {column})")]
    Decode {
        /// The table's name.
        table: &'static str,
        /// Line in the stored JSON.
        line: usize,
        /// Column in that line.
        column: usize,
    },
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[source] Box<redb::Error>),
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
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness(#[from] getrandom::Error),
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

impl From<LedgerFault> for StoreError {
    fn from(fault: LedgerFault) -> Self {
        match fault {
            LedgerFault::Unavailable(error) => *error,
            fault => Self::Ledger(Box::new(fault)),
        }
    }
}

macro_rules! from_redb {
    ($($error:ident)*) => {$(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        }
    )*};
}

from_redb!(CommitError CompactionError DatabaseError StorageError TableError TransactionError);
