//! Nodes in temporary directories, on loopback and free ports.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mandorla_control::{
    ApiError, Call, Client, ClientError, ErrorCode, NodeStop, PeerAdd, PeerExport, PeerVerify, Role,
};
use mandorla_node::{Access, Clock, InitOptions, Node, RunError, User, init, run};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// 24 November 2026, 12:00 UTC.
pub(crate) const NOON_S: u64 = 1_795_521_600;

/// A running node. It stops when [`Running::stop`] is awaited, or with the test's runtime.
pub(crate) struct Running {
    pub(crate) dir: Arc<TempDir>,
    pub(crate) address: SocketAddr,
    pub(crate) clock_ms: Arc<AtomicU64>,
    daemon: JoinHandle<Result<(), RunError>>,
}

impl Running {
    /// Initialises and starts a node.
    pub(crate) async fn start(code: &str, country: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let user = |name: &str, role| User {
            name: name.into(),
            roles: vec![role],
            os_user: None,
        };
        init(
            &InitOptions {
                name: format!("Fictional agency of {country}"),
                code: code.into(),
                country: country.into(),
                listen: "127.0.0.1:0".parse().unwrap(),
                data_dir: data_dir(&dir),
                access: Access::default(),
                users: vec![
                    user("olga", Role::Operator),
                    user("ana", Role::Analyst),
                    user("petra", Role::Authoriser),
                    user("auri", Role::Auditor),
                ],
            },
            None,
        )
        .unwrap();
        Self::start_in(Arc::new(dir)).await
    }

    /// Starts the node of a directory.
    pub(crate) async fn start_in(dir: Arc<TempDir>) -> Self {
        let clock_ms = Arc::new(AtomicU64::new(NOON_S * 1_000));
        let node = Node::open(&data_dir(&dir), Clock::Manual(Arc::clone(&clock_ms)), None).unwrap();
        let (ready, address) = oneshot::channel();
        let daemon = tokio::spawn(run(node, move |address| ready.send(address).unwrap()));
        Self {
            address: address.await.expect("the daemon came up"),
            dir,
            clock_ms,
            daemon,
        }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        data_dir(&self.dir)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.data_dir().join("control.sock")
    }

    pub(crate) fn client(&self, user: &str) -> Client {
        Client::new(self.socket(), Some(user.into()))
    }

    /// A call as the operator.
    pub(crate) async fn call<C: Call>(&self, call: &C) -> C::Reply {
        self.client("olga").call(call).await.unwrap()
    }

    /// The error of a call as the operator.
    pub(crate) async fn refusal<C: Call>(&self, call: &C) -> ApiError {
        refusal(&self.client("olga"), call).await
    }

    /// Sets the node's clock.
    pub(crate) fn set_time(&self, unix_s: u64) {
        self.clock_ms.store(unix_s * 1_000, Ordering::SeqCst);
    }

    /// Events of the ledger, in order.
    pub(crate) async fn ledger(&self) -> Vec<serde_json::Value> {
        let log = mandorla_control::AuditLog {
            from: 0,
            limit: 10_000,
        };
        self.client("auri").call(&log).await.unwrap()
    }

    /// Asks the node to stop and waits until it has.
    pub(crate) async fn stop(self) -> Arc<TempDir> {
        self.call(&NodeStop {}).await;
        self.daemon.await.unwrap().unwrap();
        self.dir
    }
}

pub(crate) fn data_dir(dir: &TempDir) -> PathBuf {
    dir.path().join("node")
}

/// The error that the node answers a call with.
pub(crate) async fn refusal<C: Call>(client: &Client, call: &C) -> ApiError {
    match client.call(call).await {
        Err(ClientError::Api(error)) => error,
        Err(other) => panic!("no answer of the node: {other}"),
        Ok(_) => panic!("{} was not refused", C::PATH),
    }
}

/// A node with the role's code of an error, for comparing.
pub(crate) fn code(error: &ApiError) -> ErrorCode {
    error.code
}

/// Two nodes that added and verified each other's cards.
pub(crate) async fn pair() -> (Running, Running) {
    let uk = Running::start("UK", "GB").await;
    let rs = Running::start("RS", "RS").await;
    for (node, peer, name) in [(&uk, &rs, "RS"), (&rs, &uk, "UK")] {
        let card = peer.call(&PeerExport {}).await.card;
        node.call(&PeerAdd { card }).await;
        let peer = name.to_owned();
        node.call(&PeerVerify {
            peer,
            confirmed: true,
        })
        .await;
    }
    (uk, rs)
}
