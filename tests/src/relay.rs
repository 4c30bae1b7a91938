//! A line between two nodes that a test can cut, restore, slow down and listen to.
//!
//! ```text
//!   requester ──UDP──► front socket ─► [cut? delay? capture] ─► back socket ──UDP──► responder
//!                      (the responder's card names it)      one per requester's address
//! ```

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

/// No datagram of UDP is longer.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// First byte of a QUIC Initial packet without its protected bits (RFC 9000, section 17.2.2; RFC 9001, section 5.4.1).
const INITIAL: u8 = 0xc0;
const UNPROTECTED_BITS: u8 = 0xf0;

/// Whom a datagram is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toward {
    /// The node that asks.
    Requester,
    /// The node that is asked.
    Responder,
}

/// A datagram that came to the relay, whether it was let through or not.
#[derive(Clone, Debug)]
pub struct Datagram {
    /// Whom it is for.
    pub toward: Toward,
    /// Its payload.
    pub bytes: Vec<u8>,
    /// Whether the line was cut for it.
    pub dropped: bool,
}

impl Datagram {
    /// Whether it begins with an Initial packet: somebody opens a connection.
    pub fn is_initial(&self) -> bool {
        let first = self.bytes.first();
        first.is_some_and(|first| first & UNPROTECTED_BITS == INITIAL)
    }
}

/// A relay on loopback in front of a node; it ends with this value.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    line: Arc<Line>,
}

impl Relay {
    /// A relay in front of the node that listens at `target`. Must be called in a runtime, which carries it.
    pub async fn to(target: SocketAddr) -> io::Result<Self> {
        let front = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let address = front.local_addr()?;
        let line = Arc::new(Line::default());
        let task = tokio::spawn(relay(Arc::clone(&line), front, target));
        line.hold(task.abort_handle());
        Ok(Self { address, line })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drops everything from now on, what is under way too.
    pub fn cut(&self) {
        self.line.cut.store(true, Ordering::SeqCst);
        self.line.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Lets datagrams pass again.
    pub fn restore(&self) {
        self.line.cut.store(false, Ordering::SeqCst);
    }

    /// Keeps each datagram for one of the nodes back for so long.
    pub fn delay(&self, toward: Toward, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.line.delay_ms(toward).store(ms, Ordering::SeqCst);
    }

    /// How many datagrams came so far: a place in the capture.
    pub fn mark(&self) -> usize {
        self.line.seen().len()
    }

    /// The datagrams that came since a place in the capture.
    pub fn since(&self, mark: usize) -> Vec<Datagram> {
        self.line.seen()[mark..].to_vec()
    }

    /// Waits until a datagram that came after `mark` is as wanted.
    pub async fn until(&self, mark: usize, wanted: impl Fn(&Datagram) -> bool) {
        let mut changed = self.line.changed.subscribe();
        let mut from = mark;
        loop {
            changed.borrow_and_update();
            {
                let seen = self.line.seen();
                if seen[from..].iter().any(&wanted) {
                    return;
                }
                from = seen.len();
            }
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for task in self.line.tasks().drain(..) {
            task.abort();
        }
    }
}

#[derive(Debug, Default)]
struct Line {
    cut: AtomicBool,
    /// Counts cuts: what was kept back before one does not arrive after it.
    epoch: AtomicU64,
    delay_to_requester_ms: AtomicU64,
    delay_to_responder_ms: AtomicU64,
    seen: Mutex<Vec<Datagram>>,
    changed: tokio::sync::watch::Sender<()>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Line {
    fn seen(&self) -> MutexGuard<'_, Vec<Datagram>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<AbortHandle>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, task: AbortHandle) {
        self.tasks().push(task);
    }

    fn delay_ms(&self, toward: Toward) -> &AtomicU64 {
        match toward {
            Toward::Requester => &self.delay_to_requester_ms,
            Toward::Responder => &self.delay_to_responder_ms,
        }
    }

    /// Sends a datagram on, at once or later, or not at all.
    async fn pass(
        self: &Arc<Self>,
        toward: Toward,
        bytes: &[u8],
        by: &Arc<UdpSocket>,
        to: SocketAddr,
    ) {
        let dropped = self.cut.load(Ordering::SeqCst);
        let bytes = bytes.to_vec();
        self.seen().push(Datagram {
            toward,
            bytes: bytes.clone(),
            dropped,
        });
        self.changed.send_replace(());
        if dropped {
            return;
        }
        let delay_ms = self.delay_ms(toward).load(Ordering::SeqCst);
        // A node that is down refuses datagrams; that is its peer's affair.
        if delay_ms == 0 {
            let _ = by.send_to(&bytes, to).await;
            return;
        }
        let (line, by) = (Arc::clone(self), Arc::clone(by));
        let epoch = self.epoch.load(Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            if line.epoch.load(Ordering::SeqCst) == epoch {
                let _ = by.send_to(&bytes, to).await;
            }
        });
    }
}

async fn relay(line: Arc<Line>, front: Arc<UdpSocket>, target: SocketAddr) {
    let mut backs: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let Ok((bytes, from)) = front.recv_from(&mut buffer).await else {
            continue;
        };
        let back = if let Some(back) = backs.get(&from) {
            Arc::clone(back)
        } else {
            let Ok(back) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await else {
                continue;
            };
            let back = Arc::new(back);
            backs.insert(from, Arc::clone(&back));
            let task = tokio::spawn(relay_back(
                Arc::clone(&line),
                Arc::clone(&back),
                Arc::clone(&front),
                from,
            ));
            line.hold(task.abort_handle());
            back
        };
        line.pass(Toward::Responder, &buffer[..bytes], &back, target)
            .await;
    }
}

async fn relay_back(
    line: Arc<Line>,
    back: Arc<UdpSocket>,
    front: Arc<UdpSocket>,
    requester: SocketAddr,
) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        // An error tells that an earlier datagram met no listener: the node is down for now.
        if let Ok((bytes, _)) = back.recv_from(&mut buffer).await {
            line.pass(Toward::Requester, &buffer[..bytes], &front, requester)
                .await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn socket() -> UdpSocket {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
    }

    async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 100];
        let (bytes, from) = socket.recv_from(&mut buffer).await.unwrap();
        (buffer[..bytes].to_vec(), from)
    }

    #[tokio::test]
    async fn datagrams_pass_both_ways_but_not_through_a_cut_line() {
        let (asks, asked) = (socket().await, socket().await);
        let relay = Relay::to(asked.local_addr().unwrap()).await.unwrap();
        asks.send_to(b"one", relay.address()).await.unwrap();
        let (bytes, back) = receive(&asked).await;
        assert_eq!(bytes, b"one");
        asked.send_to(b"reply", back).await.unwrap();
        assert_eq!(receive(&asks).await, (b"reply".to_vec(), relay.address()));

        relay.cut();
        let mark = relay.mark();
        asks.send_to(b"lost", relay.address()).await.unwrap();
        relay
            .until(mark, |datagram| datagram.bytes == b"lost")
            .await;
        relay.restore();
        asks.send_to(b"two", relay.address()).await.unwrap();
        assert_eq!(receive(&asked).await.0, b"two");
        let fates: Vec<_> = relay.since(mark).iter().map(|seen| seen.dropped).collect();
        assert_eq!(fates, [true, false]);
    }

    #[tokio::test]
    async fn what_was_kept_back_does_not_survive_a_cut() {
        let (asks, asked) = (socket().await, socket().await);
        let relay = Relay::to(asked.local_addr().unwrap()).await.unwrap();
        relay.delay(Toward::Responder, Duration::from_millis(50));
        asks.send_to(b"kept", relay.address()).await.unwrap();
        relay.until(0, |datagram| datagram.bytes == b"kept").await;
        relay.cut();
        relay.restore();
        asks.send_to(b"next", relay.address()).await.unwrap();
        assert_eq!(receive(&asked).await.0, b"next");
    }
}
