//! Run files: immutable files of fixed-width records, usually sorted, each block checksummed.
//!
//! For what is too large for the database and is read from front to end or searched: PRF values,
//! cells, blinded points. All integers are little-endian:
//!
//! ```text
//! header   32 bytes   magic "MNDRUN1\0" │ kind u16 │ record bytes u16 │ order u32 │ block bytes u32 │ 12 zero bytes
//! records             record count × record bytes, without gaps; a block is as many whole records
//!                     as fit into 64 KiB, the last block what remains
//! table               per block SHA-256("mandorla run block 1\0" ‖ header ‖ block index u64 ‖ records of the block)
//! footer   56 bytes   record count u64 │ block count u64 │ digest │ magic "MNDRUNE\0"
//! digest              SHA-256("mandorla run file 1\0" ‖ header ‖ record count u64 ‖ block count u64 ‖ table)
//! ```
//!
//! The counts stand at the end, so that a file is written from front to end without going back.
//! Opening a file checks its length, header, table and footer; each block is checked against the
//! table before any of its records is handed out. So every changed byte is found before use, and a
//! look-up reads, and trusts, one block only. The digest names the content of the file: equal digests,
//! equal records. It is no signature: who can write the folder can write another valid file.
//!
//! A file appears under its name complete and durable or not at all: it is written to
//! `<name>.tmp-<random>`, synced, renamed without replacing, and the folder synced. Files are read
//! with plain reads into a buffer, not memory-mapped: mapping needs `unsafe`, and a file that
//! changes under a mapping would be read unchecked.

mod error;
mod format;
mod reader;
mod sort;
mod temporary;
mod writer;

pub use error::RunError;
pub use format::{RUN_BLOCK_BYTES, RunKind, RunOrder};
pub use reader::RunReader;
pub use sort::{SORT_FAN_IN_MAX, sort_to_run};
pub use temporary::{remove_durably, remove_leftovers};
pub use writer::{RunInfo, RunWriter};

#[cfg(test)]
mod tests;
