//! The tables of the node's database and the records in them.
//!
//! Values are JSON; bytes in them are hexadecimal. A change of a record's shape is a migration.

pub(crate) mod agreement;
pub(crate) mod dataset;
pub(crate) mod disclosure;
pub(crate) mod hit;
pub(crate) mod key;
pub(crate) mod pair;
pub(crate) mod peer;
pub(crate) mod quota;
pub(crate) mod round;

/// Version of all tables together.
pub(crate) const SCHEMA: u32 = 2;
