//! What a backup holds once it is decrypted: items, one after the other.
//!
//! ```text
//!  item      u8 kind ‖ u32 length, little-endian ‖ bytes
//!  order     manifest, files of the data directory, ledger (entries; a checkpoint after the last entry that it covers),
//!            tables (the name, then its rows), end
//! ```
//! Peers come before pair logs, and pair logs before their facts, so that all can be checked as they are read.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use mandorla_control::BackupGap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::error::BackupError;
use super::stream::{SealedReader, SealedWriter};

/// Longest item: a row with an answer, 64 MiB in hexadecimal at the most.
const ITEM_BYTES_MAX: u32 = 256 << 20;
/// An item is read in pieces, so that memory is taken for what is there and not for what a length says.
const PIECE_BYTES: usize = 1 << 20;

const MANIFEST: u8 = 1;
const FILE: u8 = 2;
const LEDGER_ENTRY: u8 = 3;
const LEDGER_CHECKPOINT: u8 = 4;
const TABLE: u8 = 5;
const ROW: u8 = 6;
const END: u8 = 7;

/// What a backup says of itself, first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Party code of the node.
    pub node: String,
    pub created_at: u64,
    /// Version of the program.
    pub program: String,
    /// Version of the tables.
    pub store_schema: u32,
    /// Public keys, hexadecimal.
    pub signing_key: String,
    pub transport_key: String,
    pub release_key: String,
    /// Public signing keys that the node had before.
    pub retired_signing_keys: Vec<String>,
    pub ledger_entries: u64,
    pub ledger_root: String,
    pub open_rounds: u64,
    pub left_out: Vec<BackupGap>,
}

/// What a backup says of itself, last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    /// Rows per table, also those that have none.
    pub rows: BTreeMap<String, u64>,
}

/// An item of a backup.
pub(super) enum Item<'a> {
    Manifest(Manifest),
    /// Name and content of a file of the data directory.
    File(&'a str, &'a [u8]),
    /// Exact bytes.
    LedgerEntry(&'a [u8]),
    /// A signed note.
    LedgerCheckpoint(&'a str),
    Table(&'a str),
    /// Key and value, both JSON.
    Row(Value, &'a [u8]),
    End(End),
}

/// Writes items.
pub(super) struct ItemWriter<W> {
    sealed: SealedWriter<W>,
}

impl<W: Write> ItemWriter<W> {
    pub(super) fn new(sealed: SealedWriter<W>) -> Self {
        Self { sealed }
    }

    pub(super) fn write(&mut self, item: &Item<'_>) -> Result<(), BackupError> {
        let json = |value: &dyn erased::Json| value.to_json();
        match item {
            Item::Manifest(manifest) => self.put(MANIFEST, &[&json(manifest)]),
            Item::File(name, content) => {
                let length = u32::try_from(name.len()).expect("a name is short");
                self.put(FILE, &[&length.to_le_bytes(), name.as_bytes(), content])
            }
            Item::LedgerEntry(leaf) => self.put(LEDGER_ENTRY, &[leaf]),
            Item::LedgerCheckpoint(note) => self.put(LEDGER_CHECKPOINT, &[note.as_bytes()]),
            Item::Table(name) => self.put(TABLE, &[name.as_bytes()]),
            Item::Row(key, value) => {
                let key = json(key);
                let length = u32::try_from(key.len()).expect("a key is short");
                self.put(ROW, &[&length.to_le_bytes(), &key, value])
            }
            Item::End(end) => self.put(END, &[&json(end)]),
        }
    }

    pub(super) fn finish(self) -> Result<W, BackupError> {
        self.sealed.finish().map_err(BackupError::writing)
    }

    fn put(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), BackupError> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length).ok();
        let length = length
            .filter(|length| *length <= ITEM_BYTES_MAX)
            .ok_or(BackupError::Content("a row is too long for a backup"))?;
        let mut head = [kind; 5];
        head[1..].copy_from_slice(&length.to_le_bytes());
        for part in std::iter::once(&head[..]).chain(parts.iter().copied()) {
            self.sealed.write_all(part).map_err(BackupError::writing)?;
        }
        Ok(())
    }
}

mod erased {
    /// Something that becomes JSON without fail.
    pub(super) trait Json {
        fn to_json(&self) -> Vec<u8>;
    }

    impl<T: serde::Serialize> Json for T {
        fn to_json(&self) -> Vec<u8> {
            serde_json::to_vec(self).expect("plain fields and texts as keys become JSON")
        }
    }
}

/// Reads items.
pub(super) struct ItemReader<R> {
    sealed: SealedReader<R>,
    item: Zeroizing<Vec<u8>>,
}

impl<R: Read> ItemReader<R> {
    pub(super) fn new(sealed: SealedReader<R>) -> Self {
        Self {
            sealed,
            item: Zeroizing::new(Vec::new()),
        }
    }

    /// The next item; after the end there is none to be asked for.
    pub(super) fn read(&mut self) -> Result<Item<'_>, BackupError> {
        let mut head = [0; 5];
        self.sealed.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let length = u32::from_le_bytes(length);
        if length > ITEM_BYTES_MAX {
            return Err(BackupError::Content("an item is too long"));
        }
        self.item.clear();
        let length = length as usize;
        while self.item.len() < length {
            let at = self.item.len();
            self.item.resize(length.min(at + PIECE_BYTES), 0);
            self.sealed.read_exact(&mut self.item[at..])?;
        }
        if kind == END && !self.sealed.is_at_end() {
            return Err(BackupError::Content("something follows its end"));
        }
        parse(kind, &self.item)
    }
}

fn parse(kind: u8, bytes: &[u8]) -> Result<Item<'_>, BackupError> {
    let bad = || BackupError::Content("an item cannot be read");
    let text = || std::str::from_utf8(bytes).map_err(|_| bad());
    let parts = || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        rest.split_at_checked(u32::from_le_bytes(*length) as usize)
    };
    Ok(match kind {
        MANIFEST => Item::Manifest(serde_json::from_slice(bytes).map_err(|_| bad())?),
        FILE => {
            let (name, content) = parts().ok_or_else(bad)?;
            Item::File(std::str::from_utf8(name).map_err(|_| bad())?, content)
        }
        LEDGER_ENTRY => Item::LedgerEntry(bytes),
        LEDGER_CHECKPOINT => Item::LedgerCheckpoint(text()?),
        TABLE => Item::Table(text()?),
        ROW => {
            let (key, value) = parts().ok_or_else(bad)?;
            Item::Row(serde_json::from_slice(key).map_err(|_| bad())?, value)
        }
        END => Item::End(serde_json::from_slice(bytes).map_err(|_| bad())?),
        _ => return Err(BackupError::Content("an item of an unknown kind")),
    })
}
