//! An open node in a temporary directory, for unit tests.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use mandorla_control::Role;
use tempfile::TempDir;

use crate::clock::Clock;
use crate::config::User;
use crate::data_dir::{Access, InitOptions, init};
use crate::node::Node;

/// 24 November 2026, 12:00 UTC.
pub(crate) const NOON_MS: u64 = 1_795_521_600_000;

/// The directory, which goes with its guard; the clock in Unix milliseconds; the node `UK`.
pub(crate) fn node() -> (TempDir, Arc<AtomicU64>, Arc<Node>) {
    node_of("UK", "GB", |_| {})
}

/// The same of another agency, with an analyst `ana` and an authoriser `petra` beside the owner; `before` may change the directory first.
pub(crate) fn node_of(
    code: &str,
    country: &str,
    before: impl FnOnce(&std::path::Path),
) -> (TempDir, Arc<AtomicU64>, Arc<Node>) {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("node");
    init(
        &InitOptions {
            name: format!("Fictional agency of {country}"),
            code: code.into(),
            country: country.into(),
            listen: "127.0.0.1:0".parse().unwrap(),
            data_dir: data_dir.clone(),
            users: [("ana", Role::Analyst), ("petra", Role::Authoriser)]
                .map(|(name, role)| User {
                    name: name.into(),
                    roles: vec![role],
                    os_user: None,
                })
                .to_vec(),
            access: Access::default(),
        },
        None,
    )
    .unwrap();
    before(&data_dir);
    let clock_ms = Arc::new(AtomicU64::new(NOON_MS));
    let node = Node::open(&data_dir, Clock::Manual(Arc::clone(&clock_ms)), None).unwrap();
    (dir, clock_ms, node)
}
