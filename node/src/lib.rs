//! # The daemon of an agency
//!
//! ```text
//!  control socket ── server ──► peers · agreements · datasets · audit        (one module per noun)
//!                        │
//!                        ├────► rounds ──► requester driver ─┐      ┌─ responder driver ◄── peers
//!                        │                                   ├ QUIC ┤
//!                        └────► review (the desk: holds the release key; approves, releases, refuses)
//!                                        │
//!                                 store: one transaction per change, its ledger entry inside it
//! ```
//! The protocol's machines do the thinking; the drivers carry their messages, run their jobs on worker threads, and
//! make each state durable before its message leaves.

mod agreements;
mod audit;
mod auditor_key;
mod backup;
mod clock;
mod config;
mod control_stream;
mod daemon;
mod data_dir;
mod datasets;
mod doctor;
mod events;
mod failed;
mod identity;
mod justification;
mod keys;
mod logging;
mod node;
mod notify;
mod open;
mod peers;
mod permissions;
mod private_file;
mod pseudonym;
mod records;
mod review;
mod rounds;
mod seal;
mod sealing;
mod server;
mod status;
#[cfg(test)]
mod test_node;
#[cfg(test)]
mod test_pair;

pub use audit::bundle::{
    BundleLine, BundleReport, EXPORT_FORMAT, PROOF_FORMAT, verify_bundle, verify_entry_proof,
};
pub use auditor_key::AuditorKeyError;
pub use backup::{BackupError, restore as restore_backup, verify as verify_backup};
pub use clock::Clock;
pub use config::{Config, ConfigError, Finding, Origin, RoleHolders, Setting, User, settings};
pub use daemon::{RunError, run};
pub use data_dir::{Access, InitError, InitOptions, Initialised, default_data_dir, init};
pub use doctor::check_host;
pub use identity::{Identity, IdentityError, seal_of, seal_of_copy};
pub use keys::{EraseError, SealKeysError};
pub use logging::init_logging;
pub use node::{Caller, Node};
pub use open::OpenError;
pub use permissions::PermissionError;
pub use rounds::OpenSeedError;
pub use seal::{PASSPHRASE_BYTES_MAX, PASSPHRASE_CHARS_MIN, Seal, SealError, SealKind};
pub use sealing::{AuditorKey, AuditorPublicKey};
pub use server::SocketError;
