//! Write and read transactions: typed access to the tables, and the ledger beside them.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::ops::{ControlFlow, RangeBounds};

use redb::{Key, ReadTransaction, ReadableTable, TableError, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;
use crate::ledger::{LedgerAppender, LedgerEvent, LedgerReader, LedgerSigner};
use crate::tables::{Table, TableKey, encode, find_in, visit_in};

/// A write transaction: made by [`Store::write`](crate::Store::write), committed if the closure
/// returns `Ok`, without effect otherwise. It sees its own writes.
pub struct WriteTx<'store> {
    inner: WriteTransaction,
    ledger: RefCell<LedgerAppender<'store>>,
}

impl<'store> WriteTx<'store> {
    pub(crate) fn new(inner: WriteTransaction, signer: &'store LedgerSigner) -> Self {
        Self {
            inner,
            ledger: RefCell::new(LedgerAppender::new(signer)),
        }
    }

    /// Stores a value under a key, in place of an earlier one.
    pub fn put<'k, K: Key + 'static, V: Serialize>(
        &self,
        table: Table<K, V>,
        key: impl Borrow<K::SelfType<'k>>,
        value: &V,
    ) -> Result<(), StoreError> {
        let bytes = encode(table.name(), value)?;
        self.inner
            .open_table(table.definition())?
            .insert(key, bytes.as_slice())?;
        Ok(())
    }

    /// The value under a key.
    pub fn find<'k, K: Key + 'static, V: DeserializeOwned>(
        &self,
        table: Table<K, V>,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<V>, StoreError> {
        find_in(
            &self.inner.open_table(table.definition())?,
            table.name(),
            key,
        )
    }

    /// Removes a key; says whether it was there.
    pub fn remove<'k, K: Key + 'static, V>(
        &self,
        table: Table<K, V>,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<bool, StoreError> {
        let mut opened = self.inner.open_table(table.definition())?;
        let removed = opened.remove(key)?;
        Ok(removed.is_some())
    }

    /// The rows with keys in a range, in the order of their keys.
    pub fn scan<'k, K: TableKey, V: DeserializeOwned, R: Borrow<K::SelfType<'k>> + 'k>(
        &self,
        table: Table<K, V>,
        range: impl RangeBounds<R> + 'k,
    ) -> Result<Vec<(K::Owned, V)>, StoreError> {
        collect(|visit| self.scan_each(table, range, visit))
    }

    /// All rows, in the order of their keys.
    pub fn scan_all<K: TableKey, V: DeserializeOwned>(
        &self,
        table: Table<K, V>,
    ) -> Result<Vec<(K::Owned, V)>, StoreError> {
        self.scan::<K, V, K::SelfType<'_>>(table, ..)
    }

    /// Visits the rows with keys in a range one by one, until the visitor breaks: for ranges that
    /// may be too long to hold in memory.
    pub fn scan_each<'k, K, V, R, E>(
        &self,
        table: Table<K, V>,
        range: impl RangeBounds<R> + 'k,
        visit: impl FnMut(K::SelfType<'_>, V) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E>
    where
        K: Key + 'static,
        V: DeserializeOwned,
        R: Borrow<K::SelfType<'k>> + 'k,
        E: From<StoreError>,
    {
        let opened = self
            .inner
            .open_table(table.definition())
            .map_err(StoreError::from)?;
        visit_in(&opened, table.name(), range, visit)
    }

    /// Appends an entry to the ledger, with the next sequence number, which is returned, and a
    /// fresh salt. It becomes part of the ledger when this transaction commits.
    ///
    /// # Errors
    /// After an error here the transaction cannot be committed any more.
    pub fn append_ledger(&self, event: LedgerEvent) -> Result<u64, StoreError> {
        self.ledger.borrow_mut().append(&self.inner, event)
    }

    /// Gives a table another name, for migrations. Its values stay as they are, also where the two
    /// definitions have different value types.
    ///
    /// # Errors
    /// [`StoreError::Database`] if there is no such table, or one of the new name.
    pub fn rename_table<K: Key + 'static, V, W>(
        &self,
        from: Table<K, V>,
        to: Table<K, W>,
    ) -> Result<(), StoreError> {
        Ok(self
            .inner
            .rename_table(from.definition(), to.definition())?)
    }

    /// Removes a table with all its rows, for migrations; says whether there was one.
    pub fn delete_table<K: Key + 'static, V>(
        &self,
        table: Table<K, V>,
    ) -> Result<bool, StoreError> {
        Ok(self.inner.delete_table(table.definition())?)
    }

    /// The database's own transaction, for the store's own tables.
    pub(crate) fn raw(&self) -> &WriteTransaction {
        &self.inner
    }

    /// Whether [`append_ledger`](Self::append_ledger) was called.
    pub(crate) fn is_logged(&self) -> bool {
        self.ledger.borrow().was_used()
    }

    pub(crate) fn commit(self) -> Result<(), StoreError> {
        self.ledger.into_inner().seal(&self.inner)?;
        Ok(self.inner.commit()?)
    }
}

/// A read transaction: one unchanging view of the store, however much is written meanwhile.
pub struct ReadTx {
    inner: ReadTransaction,
}

impl ReadTx {
    pub(crate) fn new(inner: ReadTransaction) -> Self {
        Self { inner }
    }

    /// The value under a key.
    pub fn find<'k, K: Key + 'static, V: DeserializeOwned>(
        &self,
        table: Table<K, V>,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<V>, StoreError> {
        match self.opened(table)? {
            Some(opened) => find_in(&opened, table.name(), key),
            None => Ok(None),
        }
    }

    /// The rows with keys in a range, in the order of their keys.
    pub fn scan<'k, K: TableKey, V: DeserializeOwned, R: Borrow<K::SelfType<'k>> + 'k>(
        &self,
        table: Table<K, V>,
        range: impl RangeBounds<R> + 'k,
    ) -> Result<Vec<(K::Owned, V)>, StoreError> {
        collect(|visit| self.scan_each(table, range, visit))
    }

    /// All rows, in the order of their keys.
    pub fn scan_all<K: TableKey, V: DeserializeOwned>(
        &self,
        table: Table<K, V>,
    ) -> Result<Vec<(K::Owned, V)>, StoreError> {
        self.scan::<K, V, K::SelfType<'_>>(table, ..)
    }

    /// Visits the rows with keys in a range one by one, until the visitor breaks.
    pub fn scan_each<'k, K, V, R, E>(
        &self,
        table: Table<K, V>,
        range: impl RangeBounds<R> + 'k,
        visit: impl FnMut(K::SelfType<'_>, V) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E>
    where
        K: Key + 'static,
        V: DeserializeOwned,
        R: Borrow<K::SelfType<'k>> + 'k,
        E: From<StoreError>,
    {
        match self.opened(table)? {
            Some(opened) => visit_in(&opened, table.name(), range, visit),
            None => Ok(()),
        }
    }

    /// The ledger as of this transaction.
    pub fn ledger(&self) -> Result<LedgerReader, StoreError> {
        LedgerReader::open(&self.inner)
    }

    /// The database's own transaction, for copies.
    pub(crate) fn raw(&self) -> &ReadTransaction {
        &self.inner
    }

    /// A table that nothing was ever written to does not exist yet: it reads as empty.
    fn opened<K: Key + 'static, V>(
        &self,
        table: Table<K, V>,
    ) -> Result<Option<impl ReadableTable<K, &'static [u8]> + use<K, V>>, StoreError> {
        match self.inner.open_table(table.definition()) {
            Ok(opened) => Ok(Some(opened)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Runs a visiting scan and keeps what it visits.
fn collect<K: TableKey, V>(
    scan: impl FnOnce(
        &mut dyn FnMut(K::SelfType<'_>, V) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError>,
) -> Result<Vec<(K::Owned, V)>, StoreError> {
    let mut rows = Vec::new();
    scan(&mut |key, value| {
        rows.push((K::to_owned_key(key), value));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}
