//! What a node keeps on disk: an embedded database, the ledger inside it, and run files beside it.
//!
//! ```text
//!            <dir>, mode 0700
//!            ├── store.redb, mode 0600         one writer process
//!            │     caller's tables             Table<K, V>: V as JSON
//!            │     _ledger_*                   leaves, leaf hashes, signed checkpoints
//!            │     _meta                       schema version, Merkle frontier
//!            └── runs/                         RunWriter ─► RunReader: immutable, checksummed
//!
//!   store.write(|tx| { tx.put(ROUNDS, id, &round)?;       one durable transaction:
//!                      tx.append_ledger(event) })         change, ledger leaf and checkpoint
//! ```
//!
//! A change of state and the ledger entry that records it are committed together or not at all;
//! [`Store::write`] fails if its closure appended no entry. Every commit that extends the ledger
//! also stores a checkpoint signed by the node, so [`Store::verify_ledger`] finds an entry that was
//! altered, dropped, reordered or cut off by somebody who can edit the file but not sign. Material
//! too large for a database (PRF values, cells, blinded points) lives in [`run_file`]s.
//!
//! A store can be copied out from one read transaction, table by table and with its ledger, and a new one made of such a
//! copy ([`StoreImport`]): what of it leaves, and what becomes of it, is the caller's.
//!
//! The crate knows nothing of rounds or subjects: tables, event names and migrations are the
//! caller's.

mod copy;
mod error;
mod ledger;
mod migration;
mod store;
mod tables;
mod transaction;

pub mod run_file;

pub use copy::{AnyTable, StoreImport};
pub use error::StoreError;
pub use ledger::check::LedgerCheck;
pub use ledger::proof::EntryProof;
pub use ledger::verify::{LedgerFault, LedgerReport, verify_ledger_file};
pub use ledger::{
    AgreementRef, LEDGER_LEAF_BYTES_MAX, LedgerEntry, LedgerEvent, LedgerReader, LedgerVerifier,
    Operation, Salt, ledger_origin,
};
pub use migration::Migration;
pub use store::{Store, StoreConfig};
pub use tables::{Table, TableKey};
pub use transaction::{ReadTx, WriteTx};
