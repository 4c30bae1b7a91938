//! The daemon: sockets, signals, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mandorla_control::ErrorCode;
use mandorla_store::StoreError;
use mandorla_transport::{BindError, CloseCode, Endpoint, Limits};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::data_dir::seal_word;
use crate::events::Event;
use crate::keys;
use crate::node::Node;
use crate::notify::ServiceManager;
use crate::peers::{self, KnownPeers};
use crate::rounds;
use crate::server::{self, ControlSocket, SocketError};

/// How long calls that were begun may take after the node was asked to stop.
const CALLS_TIMEOUT: Duration = Duration::from_secs(5);

/// How long peers are given to hear that this node goes away: some round trips.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// Why the daemon cannot run, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The control socket cannot be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The UDP port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The start cannot be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Signals cannot be waited for, or the control socket failed while running.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// This opened node ran before; it has to be opened anew.
    #[error("this node ran before and must be opened anew")]
    RanBefore,
}

impl RunError {
    /// The code that the command line reports it under.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Socket(SocketError::InUse { .. })
            | Self::Bind(BindError::AddressInUse { .. }) => ErrorCode::AlreadyRunning,
            Self::Socket(_) | Self::Bind(_) => ErrorCode::BadConfig,
            Self::Store(_) => ErrorCode::Storage,
            Self::Io(_) | Self::RanBefore => ErrorCode::Internal,
        }
    }

    /// The next command.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Socket(SocketError::InUse { .. }) => "mandorla status; mandorla node stop",
            Self::Bind(BindError::AddressInUse { .. }) => {
                "stop what has the UDP port, or write another port as listen in node.toml"
            }
            Self::Socket(SocketError::NoGroup { .. }) => {
                "make the group (groupadd), or correct socket_group in node.toml"
            }
            Self::Socket(SocketError::Group { .. }) => {
                "the node's account must be a member of socket_group in node.toml (usermod -aG)"
            }
            Self::Socket(_) => "write another path as socket in node.toml",
            Self::Bind(_) => "write an address of this host as listen in node.toml",
            Self::Store(_) => "look at free space and owner of the data directory",
            Self::Io(_) | Self::RanBefore => "start the daemon again: mandorla node run",
        }
    }
}

/// Runs an open node until a signal (SIGTERM, SIGINT) or a call stops it. `ready` is told the UDP address when both
/// sockets answer.
pub async fn run(node: Arc<Node>, ready: impl FnOnce(SocketAddr)) -> Result<(), RunError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let socket_path = node.config.socket_path(node.data_dir());
    let (socket, listener) =
        ControlSocket::bind(&socket_path, node.config.socket_group.as_deref()).await?;
    let directory = Arc::new(KnownPeers::new(&node));
    let endpoint = Endpoint::bind(
        node.config.listen,
        &node.identity.current().transport,
        directory,
        Limits::default(),
    )?;
    let address = endpoint.local_addr();
    node.endpoint
        .set(endpoint)
        .map_err(|_| RunError::RanBefore)?;
    record_start(&node, address)?;
    if node.identity.sealed().is_none() {
        tracing::warn!(
            "the keys are not sealed: who reads this disk can speak as node {} (mandorla key seal)",
            node.code()
        );
    }
    tracing::info!(%address, socket = %socket_path.display(), "node {} is running", node.code());

    // Before the first connection is taken: a question of before the stop is matched once.
    rounds::resume_all(&node)?;
    let accepting = tokio::spawn(accept_peers(Arc::clone(&node)));
    tokio::spawn(keys::tend(Arc::clone(&node)));
    let serving = server::serve(
        Arc::clone(&node),
        listener,
        stopped(node.stopping.subscribe()),
    );
    let mut serving = tokio::spawn(serving);
    let manager = ServiceManager::from_environment();
    ready(address);
    manager.ready();

    let failed = tokio::select! {
        () = manager.watch(&node) => unreachable!("the watchdog is fed until something else ends"),
        () = stopped(node.stopping.subscribe()) => None,
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        ended = &mut serving => Some(ended),
    };
    node.stopping.send_replace(true);
    manager.stopping();
    tracing::info!("node {} is stopping", node.code());
    if failed.is_none() && timeout(CALLS_TIMEOUT, &mut serving).await.is_err() {
        tracing::warn!(
            "calls were cut off that took longer than {} s",
            CALLS_TIMEOUT.as_secs()
        );
        serving.abort();
    }
    drop(socket);
    let endpoint = node.endpoint.get().expect("was set above");
    endpoint.close();
    let _ = timeout(DRAIN_TIMEOUT, endpoint.drained()).await;
    let _ = accepting.await;
    node.store
        .write(|tx| tx.append_ledger(node.event(Event::NodeStopped)))?;
    match failed {
        Some(Ok(Err(error))) => Err(error.into()),
        Some(Err(panic)) => Err(io::Error::other(panic).into()),
        Some(Ok(Ok(()))) | None => Ok(()),
    }
}

fn record_start(node: &Node, address: SocketAddr) -> Result<(), StoreError> {
    let event = node
        .event(Event::NodeStarted)
        .detail("version", env!("CARGO_PKG_VERSION"))
        .detail("listen", address.to_string())
        .detail("fingerprint", peers::own_card(node).fingerprint())
        .detail("keys_sealed_under", seal_word(node.identity.sealed()))
        .detail("kernel", node.kernel.level().to_string());
    node.store.write(|tx| tx.append_ledger(event)).map(|_| ())
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the node itself is gone.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

pub(crate) async fn accept_peers(node: Arc<Node>) {
    let endpoint = node.endpoint.get().expect("set before this task began");
    while let Some(connection) = endpoint.accept().await {
        let Some(code) = peers::code_of(&node, &connection.peer()) else {
            connection.close(CloseCode::REFUSED, ""); // removed a moment ago
            continue;
        };
        tracing::debug!(peer = code, "connected");
        let noting = Arc::clone(&node);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = peers::note_seen(&noting, &code) {
                tracing::warn!(%error, peer = code, "the time of the last connection was not stored");
            }
        });
        tokio::spawn(rounds::serve(Arc::clone(&node), connection));
    }
}
