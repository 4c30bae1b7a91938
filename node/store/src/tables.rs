//! Typed tables over redb: a key type of redb's, and a serde type stored as JSON.

use std::borrow::Borrow;
use std::marker::PhantomData;
use std::ops::{ControlFlow, RangeBounds};

use redb::{Key, ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

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

    /// The key as the database takes it.
    fn borrow_key(owned: &Self::Owned) -> Self::SelfType<'_>;

    /// The key in JSON, for copies of a store that do not depend on how the database lays keys out: a number, a text,
    /// bytes as hexadecimal, an array of these.
    fn key_to_json(owned: &Self::Owned) -> Value;

    /// Reads what [`key_to_json`](Self::key_to_json) gave; `None` for anything else.
    fn key_from_json(json: &Value) -> Option<Self::Owned>;
}

macro_rules! integer_keys {
    ($($integer:ty)*) => {$(
        impl TableKey for $integer {
            type Owned = Self;

            fn to_owned_key(key: Self) -> Self {
                key
            }

            fn borrow_key(owned: &Self) -> Self {
                *owned
            }

            fn key_to_json(owned: &Self) -> Value {
                Value::from(*owned)
            }

            fn key_from_json(json: &Value) -> Option<Self> {
                serde_json::from_value(json.clone()).ok()
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

    fn borrow_key(owned: &String) -> &str {
        owned
    }

    fn key_to_json(owned: &String) -> Value {
        Value::from(owned.as_str())
    }

    fn key_from_json(json: &Value) -> Option<String> {
        json.as_str().map(str::to_owned)
    }
}

impl TableKey for &'static [u8] {
    type Owned = Vec<u8>;

    fn to_owned_key(key: &[u8]) -> Vec<u8> {
        key.to_owned()
    }

    fn borrow_key(owned: &Vec<u8>) -> &[u8] {
        owned
    }

    fn key_to_json(owned: &Vec<u8>) -> Value {
        Value::from(hex::encode(owned))
    }

    fn key_from_json(json: &Value) -> Option<Vec<u8>> {
        hex::decode(json.as_str()?).ok()
    }
}

impl<const BYTES: usize> TableKey for &'static [u8; BYTES] {
    type Owned = [u8; BYTES];

    fn to_owned_key(key: &[u8; BYTES]) -> [u8; BYTES] {
        *key
    }

    fn borrow_key(owned: &[u8; BYTES]) -> &[u8; BYTES] {
        owned
    }

    fn key_to_json(owned: &[u8; BYTES]) -> Value {
        Value::from(hex::encode(owned))
    }

    fn key_from_json(json: &Value) -> Option<[u8; BYTES]> {
        let mut key = [0; BYTES];
        hex::decode_to_slice(json.as_str()?, &mut key).ok()?;
        Some(key)
    }
}

impl<A: TableKey, B: TableKey> TableKey for (A, B) {
    type Owned = (A::Owned, B::Owned);

    fn to_owned_key((a, b): Self::SelfType<'_>) -> Self::Owned {
        (A::to_owned_key(a), B::to_owned_key(b))
    }

    fn borrow_key((a, b): &Self::Owned) -> Self::SelfType<'_> {
        (A::borrow_key(a), B::borrow_key(b))
    }

    fn key_to_json((a, b): &Self::Owned) -> Value {
        Value::Array(vec![A::key_to_json(a), B::key_to_json(b)])
    }

    fn key_from_json(json: &Value) -> Option<Self::Owned> {
        let [a, b] = json.as_array()?.as_slice() else {
            return None;
        };
        Some((A::key_from_json(a)?, B::key_from_json(b)?))
    }
}

impl<A: TableKey, B: TableKey, C: TableKey> TableKey for (A, B, C) {
    type Owned = (A::Owned, B::Owned, C::Owned);

    fn to_owned_key((a, b, c): Self::SelfType<'_>) -> Self::Owned {
        (A::to_owned_key(a), B::to_owned_key(b), C::to_owned_key(c))
    }

    fn borrow_key((a, b, c): &Self::Owned) -> Self::SelfType<'_> {
        (A::borrow_key(a), B::borrow_key(b), C::borrow_key(c))
    }

    fn key_to_json((a, b, c): &Self::Owned) -> Value {
        Value::Array(vec![
            A::key_to_json(a),
            B::key_to_json(b),
            C::key_to_json(c),
        ])
    }

    fn key_from_json(json: &Value) -> Option<Self::Owned> {
        let [a, b, c] = json.as_array()?.as_slice() else {
            return None;
        };
        Some((
            A::key_from_json(a)?,
            B::key_from_json(b)?,
            C::key_from_json(c)?,
        ))
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
