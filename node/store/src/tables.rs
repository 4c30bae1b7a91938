//! Typed tables over redb: a key type of redb's, and a serde type stored as JSON.

use std::borrow::Borrow;
use std::marker::PhantomData;
use std::ops::{ControlFlow, RangeBounds};

use redb::{Key, ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;

/// The definition of a table: declared as a constant by the code that owns the data.
///
/// ```
/// # use mandorla_store::Table;
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Decision;
/// const DECISIONS: Table<(&str, u64), Decision> = Table::new("decisions");
/// ```
pub struct Table<K: Key + 'static, V> {
    name: &'static str,
    value: PhantomData<fn(K) -> V>,
}

impl<K: Key + 'static, V> Table<K, V> {
    /// A table with this name. Names that start with `_` belong to the store itself.
    ///
    /// # Panics
    /// On an empty or reserved name: when compiling, for a constant.
    pub const fn new(name: &'static str) -> Self {
        assert!(
            !name.is_empty() && name.as_bytes()[0] != b'_',
            "empty or reserved table name"
        );
        Self {
            name,
            value: PhantomData,
        }
    }

    /// The table's name in the database.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn definition(&self) -> TableDefinition<'static, K, &'static [u8]> {
        TableDefinition::new(self.name)
    }
}

impl<K: Key + 'static, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Key + 'static, V> Copy for Table<K, V> {}

/// A key type whose keys can outlive a transaction. Implemented for strings, integers, byte strings and tuples of them.
pub trait TableKey: Key + 'static {
    /// The key without borrowed parts.
    type Owned;

    /// Copies a key out of the database.
    fn to_owned_key(key: Self::SelfType<'_>) -> Self::Owned;
}

macro_rules! integer_keys {
    ($($integer:ty)*) => {$(
        impl TableKey for $integer {
            type Owned = Self;

            fn to_owned_key(key: Self) -> Self {
                key
            }
        }
    )*};
}

integer_keys!(u8 u16 u32 u64 i64);

impl TableKey for &'static str {
    type Owned = String;

    fn to_owned_key(key: &str) -> String {
        key.to_owned()
    }
}

impl TableKey for &'static [u8] {
    type Owned = Vec<u8>;

    fn to_owned_key(key: &[u8]) -> Vec<u8> {
        key.to_owned()
    }
}

impl<const BYTES: usize> TableKey for &'static [u8; BYTES] {
    type Owned = [u8; BYTES];

    fn to_owned_key(key: &[u8; BYTES]) -> [u8; BYTES] {
        *key
    }
}

impl<A: TableKey, B: TableKey> TableKey for (A, B) {
    type Owned = (A::Owned, B::Owned);

    fn to_owned_key((a, b): Self::SelfType<'_>) -> Self::Owned {
        (A::to_owned_key(a), B::to_owned_key(b))
    }
}

impl<A: TableKey, B: TableKey, C: TableKey> TableKey for (A, B, C) {
    type Owned = (A::Owned, B::Owned, C::Owned);

    fn to_owned_key((a, b, c): Self::SelfType<'_>) -> Self::Owned {
        (A::to_owned_key(a), B::to_owned_key(b), C::to_owned_key(c))
    }
}

pub(crate) fn encode<V: Serialize>(table: &'static str, value: &V) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|_| StoreError::Encode { table })
}

pub(crate) fn find_in<'k, K: Key + 'static, V: DeserializeOwned>(
    table: &impl ReadableTable<K, &'static [u8]>,
    name: &'static str,
    key: impl Borrow<K::SelfType<'k>>,
) -> Result<Option<V>, StoreError> {
    table
        .get(key)?
        .map(|stored| decode(name, stored.value()))
        .transpose()
}

pub(crate) fn visit_in<'k, K, V, R, E>(
    table: &impl ReadableTable<K, &'static [u8]>,
    name: &'static str,
    range: impl RangeBounds<R> + 'k,
    mut visit: impl FnMut(K::SelfType<'_>, V) -> Result<ControlFlow<()>, E>,
) -> Result<(), E>
where
    K: Key + 'static,
    V: DeserializeOwned,
    R: Borrow<K::SelfType<'k>> + 'k,
    E: From<StoreError>,
{
    for row in table.range(range).map_err(StoreError::from)? {
        let (key, stored) = row.map_err(StoreError::from)?;
        let value = decode(name, stored.value())?;
        if visit(key.value(), value)?.is_break() {
            break;
        }
    }
    Ok(())
}

fn decode<V: DeserializeOwned>(table: &'static str, stored: &[u8]) -> Result<V, StoreError> {
    serde_json::from_slice(stored).map_err(|error| StoreError::Decode {
        table,
        line: error.line(),
        column: error.column(),
    })
}
