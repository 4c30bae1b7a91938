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

/// Lets a node take connections on loopback, without a control socket and without signals.
pub(crate) fn listen(node: &Arc<Node>) {
    let directory = Arc::new(crate::peers::KnownPeers::new(node));
    let endpoint = mandorla_transport::Endpoint::bind(
        node.config.listen,
        node.identity.transport(),
        directory,
        mandorla_transport::Limits::default(),
    );
    node.endpoint.set(endpoint.unwrap()).ok().unwrap();
    tokio::spawn(crate::daemon::accept_peers(Arc::clone(node)));
}

/// What a node of a test stands on: its directory and its clock.
pub(crate) type Guard = (TempDir, Arc<AtomicU64>);

/// Two nodes, `UK` and `RS`, that listen on loopback and have each other's cards; directories and clocks go with them.
pub(crate) fn two() -> ([Guard; 2], [Arc<Node>; 2]) {
    let (uk_dir, uk_clock, uk) = node_of("UK", "GB", |_| {});
    let (rs_dir, rs_clock, rs) = node_of("RS", "RS", |_| {});
    listen(&uk);
    listen(&rs);
    for (own, other) in [(&uk, &rs), (&rs, &uk)] {
        let card = crate::peers::own_card(other);
        let keys = card.keys().map(hex::encode);
        let [signing_key, transport_key, release_key] = keys;
        let record = crate::records::peer::PeerRecord {
            code: other.code().to_owned(),
            name: "Fictional agency".to_owned(),
            country: other.config.country.clone(),
            address: other.endpoint.get().unwrap().local_addr().to_string(),
            signing_key,
            transport_key,
            release_key,
            fingerprint: card.fingerprint(),
            verified: true,
            last_seen: None,
            sequence: 0,
            former: Vec::new(),
            revoked_at: None,
            last_succession: None,
        };
        own.store
            .write_unlogged::<_, mandorla_store::StoreError>(|tx| {
                tx.put(crate::records::peer::PEERS, other.code(), &record)
            })
            .unwrap();
        crate::peers::refresh(own).unwrap();
    }
    ([(uk_dir, uk_clock), (rs_dir, rs_clock)], [uk, rs])
}
