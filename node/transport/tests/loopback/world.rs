//! Nodes on loopback, and a witness to what they refuse.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};

use mandorla_transport::{
    Admission, ConnectError, Connection, Endpoint, Limits, Observer, PeerDirectory, PeerKey,
    Refusal, RefusalReason, Tally, TransportKey,
};
use tokio::sync::mpsc;

pub(crate) fn key(seed: u8) -> TransportKey {
    TransportKey::from_seed([seed; 32])
}

pub(crate) fn public(seed: u8) -> PeerKey {
    key(seed).public()
}

pub(crate) fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// The peers a node knows; changed at will by a test.
#[derive(Default)]
pub(crate) struct Directory(Mutex<HashMap<PeerKey, Admission>>);

impl Directory {
    pub(crate) fn set(&self, seed: u8, admission: Admission) {
        self.0.lock().unwrap().insert(public(seed), admission);
    }
}

impl PeerDirectory for Directory {
    fn admit(&self, key: &PeerKey) -> Admission {
        self.0
            .lock()
            .unwrap()
            .get(key)
            .copied()
            .unwrap_or(Admission::Unknown)
    }
}

/// Counts everything and hands refusals on, so that a test can wait for one.
struct Witness {
    tally: Arc<Tally>,
    refusals: mpsc::UnboundedSender<Refusal>,
}

impl Observer for Witness {
    fn refused(&self, refusal: &Refusal) {
        self.tally.refused(refusal);
        let _ = self.refusals.send(*refusal);
    }

    fn retried(&self, remote: SocketAddr) {
        self.tally.retried(remote);
    }

    fn accepted(&self, remote: SocketAddr, peer: &PeerKey) {
        self.tally.accepted(remote, peer);
    }
}

pub(crate) struct Node {
    pub(crate) endpoint: Endpoint,
    pub(crate) directory: Arc<Directory>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) key: PeerKey,
    refusals: mpsc::UnboundedReceiver<Refusal>,
}

impl Node {
    /// A node that knows the peers of these seeds.
    pub(crate) fn new(seed: u8, known: &[u8]) -> Self {
        Self::with_limits(seed, known, Limits::default())
    }

    pub(crate) fn with_limits(seed: u8, known: &[u8], limits: Limits) -> Self {
        let directory = Arc::new(Directory::default());
        for &peer in known {
            directory.set(peer, Admission::Known);
        }
        let tally = Arc::new(Tally::default());
        let (sender, refusals) = mpsc::unbounded_channel();
        let witness = Witness {
            tally: Arc::clone(&tally),
            refusals: sender,
        };
        let endpoint = Endpoint::bind_observed(
            loopback(),
            &key(seed),
            directory.clone(),
            limits,
            Arc::new(witness),
        )
        .unwrap();
        Self {
            endpoint,
            directory,
            tally,
            key: public(seed),
            refusals,
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.endpoint.local_addr()
    }

    /// Connects to whoever is at `remote`, expecting the key of this seed.
    pub(crate) async fn reach(
        &self,
        remote: SocketAddr,
        seed: u8,
    ) -> Result<Connection, ConnectError> {
        self.endpoint.connect(remote, &public(seed)).await
    }

    pub(crate) async fn refusal(&mut self) -> Refusal {
        self.refusals.recv().await.unwrap()
    }

    /// The next refusal has this reason, and nothing has been accepted.
    pub(crate) async fn refuses(&mut self, reason: RefusalReason) -> Refusal {
        let refusal = self.refusal().await;
        assert_eq!(refusal.reason, reason);
        assert_eq!(self.tally.accepted_count(), 0, "something was accepted");
        refusal
    }
}

/// Two nodes that know each other and a connection from the first to the second, as both see it.
pub(crate) async fn connected() -> (Node, Node, Connection, Connection) {
    let a = Node::new(1, &[2]);
    let b = Node::new(2, &[1]);
    let (at_a, at_b) = connect(&a, &b).await;
    (a, b, at_a, at_b)
}

pub(crate) async fn connect(a: &Node, b: &Node) -> (Connection, Connection) {
    let (at_a, at_b) = tokio::join!(a.endpoint.connect(b.addr(), &b.key), b.endpoint.accept());
    (at_a.unwrap(), at_b.unwrap())
}

/// Everything this process has logged at `warn`. One for all tests: a subscriber per test would race with those of
/// others that run beside it.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Call before anything is logged that the test looks for.
    pub(crate) fn capture() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_max_level(tracing::Level::WARN)
                .with_writer(move || writer.clone())
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
            log
        })
        .clone()
    }

    /// The one line about connections from this address, whose port no other test has at the same time.
    pub(crate) fn line_about(&self, remote: SocketAddr) -> String {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let remote = format!("remote={remote} ");
        let line = text.lines().rfind(|line| line.contains(&remote));
        line.unwrap_or_else(|| panic!("no {remote}in {text}"))
            .to_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
