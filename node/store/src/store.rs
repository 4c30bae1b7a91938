//! Opening, writing and reading the store.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, TryLockError};

use ed25519_dalek::{SigningKey, VerifyingKey};
use mandorla_protocol::checkpoint::Checkpoint;
use redb::backends::FileBackend;
use redb::{
    Builder, CompactionError, Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase as _,
    ReadableTable as _,
};

use crate::error::StoreError;
use crate::ledger::verify::{self, LedgerFault, LedgerReport};
use crate::ledger::{
    LedgerEvent, LedgerReader, LedgerSigner, LedgerVerifier, META, Operation, stored_frontier,
};
use crate::migration::{self, Migration};
use crate::run_file;
use crate::transaction::{ReadTx, WriteTx};

pub(crate) mod files;

/// The database file in the store's directory.
pub(crate) const DATABASE_NAME: &str = "store.redb";
/// The folder for run files in the store's directory.
const RUNS_NAME: &str = "runs";
/// In the meta table: the schema version, 4 bytes, big-endian.
pub(crate) const SCHEMA_KEY: &str = "schema";
/// Page cache of the database. Its tables are small beside the run files, and redb's default of
/// 1 GiB is more than a node may take.
pub(crate) const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// What opening a store takes.
pub struct StoreConfig {
    /// The node's name, which stands in each checkpoint: without white space and plus signs.
    pub node_name: String,
    /// The key that signs the ledger's checkpoints.
    pub signing_key: SigningKey,
    /// Keys that signed earlier checkpoints, before the node's key was changed.
    pub retired_keys: Vec<VerifyingKey>,
    /// The schema version of the caller's tables.
    pub schema: u32,
    /// The steps from older versions to `schema`.
    pub migrations: &'static [Migration],
    /// The present time, for the entries that creation and migration make, in seconds since
    /// 1970-01-01 UTC.
    pub now_unix_s: u64,
}

/// The open store of a node. One per directory, across processes; shared between threads by
/// reference. Writers take turns, readers do not wait.
pub struct Store {
    /// Written to only while it is compacted, which takes it alone.
    database: RwLock<Database>,
    signer: LedgerSigner,
    verifier: LedgerVerifier,
    dir: PathBuf,
}

impl Store {
    /// Opens the store in `dir`; creates both if they do not exist.
    ///
    /// Afterwards the schema is at `config.schema`, leftovers of unfinished run files are gone, and
    /// the last checkpoint is known to be signed by this node and to fit the ledger's frontier. The
    /// entries themselves are checked by [`verify_ledger`](Self::verify_ledger).
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another `Store` has it open, [`StoreError::OpenToOthers`] or
    /// [`StoreError::ForeignOwner`] if other accounts could read it, [`StoreError::NewerSchema`]
    /// and [`StoreError::NoMigration`] if the schemas do not meet, [`StoreError::Ledger`] if the
    /// ledger's end is not intact.
    pub fn open(dir: &Path, config: StoreConfig) -> Result<Self, StoreError> {
        files::prepare_dir(dir)?;
        let file = files::open_database_file(&dir.join(DATABASE_NAME))?;
        let backend = FileBackend::new(file).map_err(|error| open_error(dir, error))?;
        let database = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(backend)
            .map_err(|error| open_error(dir, error))?;

        let StoreConfig {
            node_name,
            signing_key,
            mut retired_keys,
            ..
        } = config;
        retired_keys.push(signing_key.verifying_key());
        let store = Self {
            database: RwLock::new(database),
            verifier: LedgerVerifier {
                node_name: node_name.clone(),
                keys: retired_keys,
            },
            signer: LedgerSigner {
                node_name,
                key: signing_key,
            },
            dir: dir.to_owned(),
        };
        store.bring_to_schema(config.schema, config.migrations, config.now_unix_s)?;
        let runs = store.runs_dir();
        files::prepare_dir(&runs)?;
        run_file::remove_leftovers(&runs).map_err(StoreError::io("clean up", &runs))?;
        Ok(store)
    }

    /// Runs one durable transaction that must be recorded: it is committed if the closure returns
    /// `Ok` and appended at least one entry to the ledger. Waits while another writes; so a closure
    /// that itself calls `write` waits for ever.
    ///
    /// # Errors
    /// The closure's own, or [`StoreError::NothingLogged`]; nothing is written then.
    pub fn write<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&WriteTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transact(change, true)
    }

    /// Runs one durable transaction that the ledger does not record: for data derived from what is recorded, such
    /// as the progress of a transfer, whose loss costs time and whose content proves nothing.
    pub fn write_unlogged<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&WriteTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transact(change, false)
    }

    /// Starts a read transaction: a view of the store as it is now.
    pub fn read(&self) -> Result<ReadTx, StoreError> {
        Ok(ReadTx::new(self.database().begin_read()?))
    }

    /// The signed checkpoint over all entries of the ledger, as a note.
    pub fn checkpoint(&self) -> Result<String, StoreError> {
        self.read()?.ledger()?.latest_checkpoint()
    }

    /// Recomputes the whole ledger and checks each checkpoint's signature and root.
    ///
    /// `known` are checkpoints of this ledger kept elsewhere, whose signatures the caller has
    /// verified: a ledger that was rolled back to an older state, or rewritten by somebody who has
    /// the node's key, can be told by them alone.
    ///
    /// # Errors
    /// The first fault, in the order of the entries.
    pub fn verify_ledger(&self, known: &[Checkpoint]) -> Result<LedgerReport, LedgerFault> {
        verify::verify(&self.database().begin_read()?, &self.verifier, known)
    }

    /// Moves the pages in use to the front of the file and cuts off the rest, where nobody else uses the store just now;
    /// says whether it did. Everybody waits meanwhile.
    ///
    /// What was removed from a table stays in freed pages until they are written again: this gives back those behind the
    /// last page in use and writes over some of the others, but promises neither for all of them.
    pub fn try_compact(&self) -> Result<bool, StoreError> {
        let mut database = match self.database.try_write() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        match database.compact() {
            Ok(_) => Ok(true),
            Err(CompactionError::TransactionInProgress) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whose signatures the checkpoints of this ledger bear.
    pub fn ledger_verifier(&self) -> &LedgerVerifier {
        &self.verifier
    }

    /// The directory the store was opened in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder for [`run_file`]s. Temporary files in it, and in folders below, are removed when the store is opened.
    pub fn runs_dir(&self) -> PathBuf {
        self.dir.join(RUNS_NAME)
    }

    /// Held only while a transaction begins; the transaction itself keeps compaction off by being there.
    fn database(&self) -> RwLockReadGuard<'_, Database> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn transact<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&WriteTx<'_>) -> Result<T, E>,
        must_log: bool,
    ) -> Result<T, E> {
        let tx = self.begin()?;
        let value = change(&tx)?;
        if must_log && !tx.is_logged() {
            return Err(StoreError::NothingLogged.into());
        }
        tx.commit()?;
        Ok(value)
    }

    fn begin(&self) -> Result<WriteTx<'_>, StoreError> {
        let mut inner = self.database().begin_write().map_err(StoreError::from)?;
        // Two-phase commits, so that a partly written transaction cannot pass for a whole one by a
        // forged checksum, and a start after a crash that does not depend on the size of the file.
        inner.set_quick_repair(true);
        Ok(WriteTx::new(inner, &self.signer))
    }

    /// Creates or migrates in one transaction, or checks the end of the ledger.
    fn bring_to_schema(
        &self,
        schema: u32,
        migrations: &[Migration],
        now_unix_s: u64,
    ) -> Result<(), StoreError> {
        let tx = self.begin()?;
        let found = stored_schema(&tx)?;
        let Some(found) = found else {
            let created = LedgerEvent::new(now_unix_s, Operation::Admin, "store.created")
                .detail("schema", schema);
            tx.append_ledger(created)?;
            store_schema(&tx, schema)?;
            return tx.commit();
        };
        let steps = migration::path(migrations, found, schema)?;
        self.check_ledger_end()?;
        if steps.is_empty() {
            return Ok(());
        }
        for step in steps {
            (step.apply)(&tx)?;
            let migrated = LedgerEvent::new(now_unix_s, Operation::Admin, "store.migrated")
                .detail("from", step.from)
                .detail("to", step.to);
            tx.append_ledger(migrated)?;
        }
        store_schema(&tx, schema)?;
        tx.commit()
    }

    /// The last checkpoint must be this node's and that of the frontier: else the next checkpoint
    /// would sign what somebody else made of the ledger.
    fn check_ledger_end(&self) -> Result<(), StoreError> {
        let transaction = self.database().begin_read()?;
        let ledger = LedgerReader::open(&transaction)?;
        let size = ledger.size();
        if let Some((signed, _)) = ledger.checkpoints.last()?
            && signed.value() > size
        {
            return Err(LedgerFault::Truncated {
                entries: size,
                signed: signed.value(),
            }
            .into());
        }
        let checkpoint = self.verifier.check(size, &ledger.latest_checkpoint()?)?;
        let frontier = stored_frontier(&transaction.open_table(META)?)?;
        if *checkpoint.root() != frontier.root() {
            return Err(LedgerFault::FrontierMismatch {
                stored: size,
                entries: size,
            }
            .into());
        }
        Ok(())
    }
}

/// Opens the database of a store that no node has open, for reading only.
pub(crate) fn open_read_only(dir: &Path) -> Result<ReadOnlyDatabase, StoreError> {
    Builder::new()
        .set_cache_size(CACHE_BYTES)
        .open_read_only(dir.join(DATABASE_NAME))
        .map_err(|error| open_error(dir, error))
}

pub(crate) fn open_error(dir: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            StoreError::InUse {
                dir: dir.to_owned(),
            }
        }
        error => error.into(),
    }
}

/// The schema version in the file; `None` for a database that was just created.
fn stored_schema(tx: &WriteTx<'_>) -> Result<Option<u32>, StoreError> {
    if tx.raw().list_tables()?.next().is_none() {
        return Ok(None);
    }
    let meta = tx.raw().open_table(META)?;
    let stored = meta.get(SCHEMA_KEY)?;
    let missing = StoreError::NotAStore {
        what: "schema version",
    };
    let bytes = stored
        .as_ref()
        .and_then(|bytes| bytes.value().try_into().ok())
        .ok_or(missing)?;
    Ok(Some(u32::from_be_bytes(bytes)))
}

fn store_schema(tx: &WriteTx<'_>, schema: u32) -> Result<(), StoreError> {
    tx.raw()
        .open_table(META)?
        .insert(SCHEMA_KEY, schema.to_be_bytes().as_slice())?;
    Ok(())
}

#[cfg(test)]
mod tests;
