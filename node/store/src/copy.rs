//! Copying a store out, from one read transaction, and into a new database.
//!
//! ```text
//!   ReadTx ── schema, tables by name, rows (key as JSON, value as stored), ledger ──► whoever copies
//!   whoever restores ──► StoreImport ── a new store.redb ──► Store::open, which checks and migrates it
//! ```
//! A copy holds the keys as JSON and not as the database lays them out, so that it can be read by a version of the
//! program with another database. A table is copied without its value's type; what leaves is the caller's decision.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use mandorla_protocol::merkle::{Frontier, leaf_hash};
use redb::backends::FileBackend;
use redb::{Builder, Database, ReadTransaction, ReadableTable as _, TableError, TableHandle as _};
use redb::{TableDefinition, WriteTransaction};
use serde_json::Value;

use crate::error::StoreError;
use crate::ledger::{CHECKPOINTS, FRONTIER_KEY, HASHES, LEAVES, META};
use crate::store::{CACHE_BYTES, DATABASE_NAME, SCHEMA_KEY, files, open_error};
use crate::tables::{Table, TableKey};
use crate::transaction::ReadTx;

/// Rows of one transaction of an import: some megabytes, and a few dozen flushes for a million rows.
const ROWS_PER_TRANSACTION: usize = 16_384;

type Visit<'a> = &'a mut dyn FnMut(Value, &[u8]) -> ControlFlow<()>;

/// A table whose key and value types are left aside: for lists of tables.
#[derive(Clone, Copy)]
pub struct AnyTable {
    name: &'static str,
    export: fn(&ReadTransaction, &'static str, Visit<'_>) -> Result<(), StoreError>,
    import: fn(&WriteTransaction, &'static str, &Value, &[u8]) -> Result<(), StoreError>,
}

impl AnyTable {
    /// The table's name in the database.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<K: TableKey, V> Table<K, V> {
    /// This table without its types.
    pub const fn any(self) -> AnyTable {
        AnyTable {
            name: self.name(),
            export: export::<K>,
            import: import::<K>,
        }
    }
}

fn export<K: TableKey>(
    tx: &ReadTransaction,
    name: &'static str,
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    let definition: TableDefinition<'_, K, &[u8]> = TableDefinition::new(name);
    let table = match tx.open_table(definition) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for row in table.iter()? {
        let (key, value) = row?;
        let key = K::key_to_json(&K::to_owned_key(key.value()));
        if visit(key, value.value()).is_break() {
            break;
        }
    }
    Ok(())
}

fn import<K: TableKey>(
    tx: &WriteTransaction,
    name: &'static str,
    key: &Value,
    value: &[u8],
) -> Result<(), StoreError> {
    let key = K::key_from_json(key).ok_or(StoreError::BadCopy {
        what: "a key that is none of its table",
    })?;
    let definition: TableDefinition<'_, K, &[u8]> = TableDefinition::new(name);
    let mut table = tx.open_table(definition)?;
    let before = table.insert(K::borrow_key(&key), value)?;
    if before.is_some() {
        return Err(StoreError::BadCopy {
            what: "the same key twice in a table",
        });
    }
    Ok(())
}

impl ReadTx {
    /// The schema version of the caller's tables.
    pub fn schema(&self) -> Result<u32, StoreError> {
        let missing = || StoreError::NotAStore {
            what: "schema version",
        };
        let meta = self.raw().open_table(META).map_err(|_| missing())?;
        let stored = meta.get(SCHEMA_KEY)?.ok_or_else(missing)?;
        let bytes = stored.value().try_into().map_err(|_| missing())?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// The names of the caller's tables that exist, in order.
    pub fn table_names(&self) -> Result<Vec<String>, StoreError> {
        let tables = self.raw().list_tables()?;
        let names = tables.map(|table| table.name().to_owned());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('_')).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Visits the rows of a table in the order of their keys: the key as JSON, the value in its stored bytes, which
    /// are JSON too. A table that nothing was ever written to has none.
    ///
    /// # Errors
    /// The visitor's own, or the database's.
    pub fn export<E: From<StoreError>>(
        &self,
        table: AnyTable,
        mut visit: impl FnMut(Value, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut failed = None;
        (table.export)(
            self.raw(),
            table.name,
            &mut |key, value| match visit(key, value) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            },
        )?;
        failed.map_or(Ok(()), Err)
    }
}

/// A new store that is being filled from a copy. Nothing in it counts before [`finish`](Self::finish): without the
/// schema version that it writes, the file is no store.
pub struct StoreImport {
    database: Database,
    dir: PathBuf,
    /// `None` only after a commit that failed.
    transaction: Option<WriteTransaction>,
    rows: usize,
    ledger: Frontier,
}

impl StoreImport {
    /// Makes the database in a directory, which is made, too, if need be.
    ///
    /// # Errors
    /// [`StoreError::BadCopy`] if there is a database already.
    pub fn begin(dir: &Path) -> Result<Self, StoreError> {
        files::prepare_dir(dir)?;
        let path = dir.join(DATABASE_NAME);
        if path.symlink_metadata().is_ok() {
            return Err(StoreError::BadCopy {
                what: "a database where the new one is to be",
            });
        }
        let file = files::open_database_file(&path)?;
        let backend = FileBackend::new(file).map_err(|error| open_error(dir, error))?;
        let database = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(backend)
            .map_err(|error| open_error(dir, error))?;
        let transaction = database.begin_write()?;
        Ok(Self {
            database,
            dir: dir.to_owned(),
            transaction: Some(transaction),
            rows: 0,
            ledger: Frontier::new(),
        })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`StoreError::BadCopy`] if the key is none of this table, or is there already.
    pub fn row(&mut self, table: AnyTable, key: &Value, value: &[u8]) -> Result<(), StoreError> {
        (table.import)(self.transaction()?, table.name, key, value)?;
        self.count()
    }

    /// Adds the next entry of the ledger, in its exact bytes.
    pub fn ledger_entry(&mut self, leaf: &[u8]) -> Result<(), StoreError> {
        let seq = self.ledger.size();
        let hash = leaf_hash(leaf);
        let transaction = self.transaction()?;
        transaction.open_table(LEAVES)?.insert(seq, leaf)?;
        transaction.open_table(HASHES)?.insert(seq, &hash)?;
        self.ledger.append(hash);
        self.count()
    }

    /// Adds the signed checkpoint over the entries so far. It is checked when the store is opened and verified.
    pub fn ledger_checkpoint(&mut self, note: &str) -> Result<(), StoreError> {
        let size = self.ledger.size();
        self.transaction()?
            .open_table(CHECKPOINTS)?
            .insert(size, note)?;
        self.count()
    }

    /// Makes it a store of this schema version, durable.
    pub fn finish(mut self, schema: u32) -> Result<(), StoreError> {
        {
            let mut meta = self.transaction()?.open_table(META)?;
            meta.insert(SCHEMA_KEY, schema.to_be_bytes().as_slice())?;
            meta.insert(FRONTIER_KEY, self.ledger.to_bytes().as_slice())?;
        }
        self.commit()?;
        drop(self.database);
        let synced = std::fs::File::open(&self.dir).and_then(|dir| dir.sync_all());
        synced.map_err(StoreError::io("make durable", &self.dir))
    }

    fn count(&mut self) -> Result<(), StoreError> {
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_PER_TRANSACTION) {
            // One write transaction at a time: the next begins after this one has ended.
            self.commit()?;
            self.transaction = Some(self.database.begin_write()?);
        }
        Ok(())
    }

    fn transaction(&self) -> Result<&WriteTransaction, StoreError> {
        self.transaction
            .as_ref()
            .ok_or(StoreError::BrokenTransaction)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let transaction = self.transaction.take();
        Ok(transaction.ok_or(StoreError::BrokenTransaction)?.commit()?)
    }
}

#[cfg(test)]
mod tests;
