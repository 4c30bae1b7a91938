//! Backups: what a node needs to begin again after its disk is gone, without what would let anybody else be the node.
//!
//! ```text
//!  create   running node ─ one read transaction ─► content ─► format ─► stream ─► the operator's file
//!  verify   file ─► stream ─► format ─► check                               needs the passphrase only
//!  restore  file ─► … check ─► a new data directory ◄─ the keys, kept apart
//! ```
//! A backup holds personal data, so there is none that is not encrypted. A restored node is an earlier state of a node
//! that others have dealt with since: it regains no quota, and appends to no pair log before it has been reconciled.

mod check;
mod content;
mod create;
mod error;
mod format;
mod restore;
mod stream;

use axum::routing::post;
use mandorla_control::BACKUP_CREATE_PATH;

pub use self::check::verify;
pub use self::error::BackupError;
pub use self::restore::restore;
use crate::server::Routes;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes.route(BACKUP_CREATE_PATH, post(create::create))
}

#[cfg(test)]
mod tests;
