//! Peers on the network: who is admitted, where they are, and whether they answer.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use mandorla_control::{ApiError, ErrorCode, PeerPong};
use mandorla_protocol::{CLOCK_SKEW_MAX_S, Message};
use mandorla_store::StoreError;
use mandorla_transport::{
    Admission, CloseCode, ConnectError, Connection, Endpoint, PeerDirectory, PeerKey,
};
use rand::Rng as _;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::keys;
use super::ping_class::{PingClass, PingFailure};
use crate::control_stream::{ControlError, ControlStream};
use crate::node::Node;
use crate::records::peer::{PEERS, PeerRecord};

/// A resolver that has not answered by then has lost the question.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A pong is no work: later than this it is of no use.
const PONG_TIMEOUT: Duration = Duration::from_secs(10);

/// `last_seen` is written at most so often per peer, so that a peer that connects in a loop costs no disk.
const SEEN_STEP_S: u64 = 60;

/// The directory that the transport asks; it does not keep the node alive.
pub(crate) struct KnownPeers(Weak<Node>);

impl KnownPeers {
    pub(crate) fn new(node: &Arc<Node>) -> Self {
        Self(Arc::downgrade(node))
    }
}

impl PeerDirectory for KnownPeers {
    fn admit(&self, key: &PeerKey) -> Admission {
        let Some(node) = self.0.upgrade() else {
            return Admission::Unknown;
        };
        if super::code_of(&node, key).is_none() {
            Admission::Unknown
        } else if node.is_quiet(key) {
            Admission::Quiet
        } else {
            Admission::Known
        }
    }
}

impl Node {
    /// Whether this peer is to come back later.
    pub(crate) fn is_quiet(&self, key: &PeerKey) -> bool {
        let mut quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        match quiet.get(key) {
            Some(until_ms) if *until_ms > self.clock.now_ms() => true,
            Some(_) => {
                quiet.remove(key);
                false
            }
            None => false,
        }
    }

    /// Notes a connection of a peer while it is served.
    pub(crate) fn register_connection(&self, connection: &Connection) {
        let mut open = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        open.retain(|known| known.close_reason().is_none());
        open.push(connection.clone());
    }

    /// Closes every connection of the peer with this key.
    pub(crate) fn close_connections_of(&self, key: &PeerKey) {
        self.close_connections(&keys::keys_beside(self, key), CloseCode::QUIET);
    }

    /// Closes every connection made with one of these keys.
    pub(crate) fn close_connections(&self, keys: &[PeerKey], code: CloseCode) {
        let open = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for connection in open.iter().filter(|open| keys.contains(&open.peer())) {
            connection.close(code, "");
        }
    }

    /// Takes no connection from the peer with this key until then, Unix milliseconds.
    pub(crate) fn keep_quiet(&self, key: &PeerKey, until_ms: u64) {
        let all = keys::keys_beside(self, key);
        let mut quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        quiet.extend(all.into_iter().map(|key| (key, until_ms)));
    }
}

/// Where a peer listens, and the keys of which it must prove one there: the present one first, then those whose overlap
/// has not ended.
pub(crate) async fn address_of(
    node: &Node,
    code: &str,
) -> Result<(SocketAddr, Vec<PeerKey>), ApiError> {
    let record = super::find(node, code)?;
    let keys = keys::transport_keys_of(&record, node.clock.now_s());
    if keys.is_empty() {
        return Err(keys::revoked(code));
    }
    Ok((resolve(node, &record).await?, keys))
}

/// Connects to the holder of the first of these keys that answers with it.
pub(crate) async fn connect_any(
    endpoint: &Endpoint,
    address: SocketAddr,
    keys: &[PeerKey],
) -> Result<Connection, ConnectError> {
    let (last, others) = keys.split_last().expect("a peer has a key");
    for key in others {
        match endpoint.connect(address, key).await {
            Err(ConnectError::WrongKey { .. }) => {}
            done => return done,
        }
    }
    endpoint.connect(address, last).await
}

/// The first address of the peer's host that this node's socket can send to.
async fn resolve(node: &Node, record: &PeerRecord) -> Result<SocketAddr, ApiError> {
    let unreachable = |why: &str| {
        let message = format!("the address {} of {} {why}", record.address, record.code);
        ApiError::new(ErrorCode::PeerUnreachable, message).hint(format!(
            "check the name service, or ask {} for a new card: mandorla peer add FILE",
            record.code
        ))
    };
    let found = timeout(RESOLVE_TIMEOUT, lookup_host(record.address.as_str()))
        .await
        .map_err(|_| unreachable("was not resolved in time"))?
        .map_err(|_| unreachable("cannot be resolved"))?;
    let ours_is_v4 = node.config.listen.is_ipv4();
    let mut usable = found.filter(|address| address.is_ipv4() || !ours_is_v4);
    usable
        .next()
        .ok_or_else(|| unreachable("is IPv6 only, and this node listens on IPv4"))
}

/// Connects, asks, and waits for the first authenticated reply.
pub(super) async fn ping(node: &Node, code: &str) -> Result<PeerPong, ApiError> {
    try_ping(node, code).await.map_err(|failure| failure.error)
}

/// [`ping`], with the class of a failure.
pub(crate) async fn try_ping(node: &Node, code: &str) -> Result<PeerPong, PingFailure> {
    let (address, keys) = address_of(node, code)
        .await
        .map_err(|error| PingFailure::new(PingClass::Address, error))?;
    let endpoint = node.endpoint.get().ok_or_else(|| {
        let error = ApiError::new(ErrorCode::Unreachable, "this node does not listen yet")
            .hint("mandorla status");
        PingFailure::new(PingClass::Address, error)
    })?;
    let begin = Instant::now();
    let connection = match connect_any(endpoint, address, &keys).await {
        Ok(connection) => connection,
        Err(error) => {
            let class = PingClass::of(&error, address).await;
            let told = connect_error(code, &error);
            let told = match class {
                PingClass::Address => told, // which end has no such address is in the error alone
                _ => told.hint(class.remedy(code)),
            };
            return Err(PingFailure::new(class, told));
        }
    };
    let nonce: u64 = rand::rng().next_u64();
    let answer = exchange(&connection, nonce).await;
    connection.close(CloseCode::DONE, "");
    let answer = answer.map_err(|error| {
        let class = PingClass::of_control(&error);
        PingFailure::new(class, control_error(code, &error))
    })?;
    let time = match answer {
        Message::Pong {
            nonce: echoed,
            time,
        } if echoed == nonce => time,
        other => {
            let message = format!("{code} answered a ping with {}", other.name());
            let error = ApiError::new(ErrorCode::PeerMisbehaved, message)
                .hint("compare `mandorla version` on both nodes");
            return Err(PingFailure::new(PingClass::Protocol, error));
        }
    };
    let handshake_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Err(error) = note_seen(node, code) {
        tracing::warn!(%error, peer = code, "the time of the last connection was not stored");
    }
    let ahead_s = i128::from(time) - i128::from(node.clock.now_s());
    let clock_offset_s = i64::try_from(ahead_s).unwrap_or(i64::MAX);
    if clock_offset_s.unsigned_abs() > CLOCK_SKEW_MAX_S {
        let message = format!(
            "the clock of {code} is {clock_offset_s} s ahead of this node's; at most {CLOCK_SKEW_MAX_S} s either way is allowed"
        );
        let error = ApiError::new(ErrorCode::PeerClock, message)
            .hint("check the time service on both hosts: timedatectl");
        return Err(PingFailure::new(PingClass::Clock(clock_offset_s), error));
    }
    Ok(PeerPong {
        peer: code.to_owned(),
        handshake_ms,
        clock_offset_s,
    })
}

async fn exchange(connection: &Connection, nonce: u64) -> Result<Message, ControlError> {
    let mut stream = ControlStream::open(connection).await?;
    stream.send(&Message::Ping { nonce }).await?;
    stream.receive(PONG_TIMEOUT).await
}

/// The reply to a ping; for the code that takes a peer's connections.
pub(crate) fn answer_ping(node: &Node, nonce: u64) -> Message {
    Message::Pong {
        nonce,
        time: node.clock.now_s(),
    }
}

/// Notes that a peer was there, if that was not noted within the last minute.
pub(crate) fn note_seen(node: &Node, code: &str) -> Result<(), StoreError> {
    let now = node.clock.now_s();
    let is_due = |record: &PeerRecord| {
        record
            .last_seen
            .is_none_or(|seen| now >= seen + SEEN_STEP_S)
    };
    let record = node.store.read()?.find(PEERS, code)?;
    if !record.is_some_and(|record| is_due(&record)) {
        return Ok(());
    }
    node.store.write_unlogged(|tx| {
        let Some(mut record) = tx.find(PEERS, code)? else {
            return Ok(());
        };
        record.last_seen = record.last_seen.max(Some(now));
        tx.put(PEERS, code, &record)
    })
}

/// What a failed connection means to the operator.
pub(crate) fn connect_error(code: &str, error: &ConnectError) -> ApiError {
    let number = match error {
        ConnectError::WrongKey { .. } | ConnectError::NoProof { .. } => ErrorCode::PeerKey,
        ConnectError::Refused { .. }
        | ConnectError::Quiet { .. }
        | ConnectError::Busy { .. }
        | ConnectError::Closed { .. } => ErrorCode::PeerRefused,
        ConnectError::TimedOut { .. }
        | ConnectError::Handshake { .. }
        | ConnectError::Address { .. }
        | ConnectError::EndpointClosed
        | ConnectError::ProtocolMismatch { .. }
        | ConnectError::KeyExchangeMismatch { .. } => ErrorCode::PeerUnreachable,
    };
    let hint = match error {
        ConnectError::Address { .. } => {
            "listen and the peer's address must both be IPv4, or listen be IPv6".to_owned()
        }
        ConnectError::EndpointClosed => "mandorla node run".to_owned(),
        _ => PingClass::told_by(error).remedy(code),
    };
    ApiError::new(number, format!("{code}: {error}")).hint(hint)
}

/// What a failed exchange means to the operator.
pub(crate) fn control_error(code: &str, error: &ControlError) -> ApiError {
    let number = match error {
        ControlError::Line(_) | ControlError::TimedOut(_) => ErrorCode::PeerUnreachable,
        ControlError::Refused(_) => ErrorCode::PeerRefused,
        ControlError::Malformed(_) => ErrorCode::PeerMisbehaved,
    };
    ApiError::new(number, format!("{code}: {error}")).hint(format!("mandorla peer ping {code}"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use mandorla_transport::TransportKey;

    use super::*;
    use crate::peers::refresh;
    use crate::test_node::{NOON_MS, node};

    fn add(node: &Node, key: PeerKey) {
        let record = PeerRecord {
            code: "RS".into(),
            name: "Fictional agency".into(),
            country: "RS".into(),
            address: "127.0.0.1:1".into(),
            signing_key: TransportKey::from_seed([17; 32]).public().to_string(),
            transport_key: key.to_string(),
            release_key: TransportKey::from_seed([18; 32]).public().to_string(),
            fingerprint: String::new(),
            verified: false,
            last_seen: None,
            sequence: 0,
            former: Vec::new(),
            revoked_at: None,
            last_succession: None,
        };
        let put = |tx: &mandorla_store::WriteTx<'_>| tx.put(PEERS, "RS", &record);
        node.store.write_unlogged(put).unwrap();
        refresh(node).unwrap();
    }

    #[test]
    fn peers_of_the_table_are_admitted_but_not_while_they_are_to_be_quiet() {
        let (_dir, clock_ms, node) = node();
        let peer = TransportKey::from_seed([7; 32]).public();
        let stranger = TransportKey::from_seed([8; 32]).public();
        let directory = KnownPeers::new(&node);
        assert_eq!(directory.admit(&peer), Admission::Unknown);
        add(&node, peer);
        assert_eq!(directory.admit(&peer), Admission::Known);
        assert_eq!(directory.admit(&stranger), Admission::Unknown);

        node.quiet.lock().unwrap().insert(peer, NOON_MS + 1_000);
        clock_ms.store(NOON_MS + 999, Ordering::SeqCst);
        assert_eq!(directory.admit(&peer), Admission::Quiet);
        clock_ms.store(NOON_MS + 1_000, Ordering::SeqCst);
        assert_eq!(directory.admit(&peer), Admission::Known);
        node.quiet.lock().unwrap().insert(stranger, u64::MAX);
        assert_eq!(
            directory.admit(&stranger),
            Admission::Unknown,
            "a stranger must not learn that anybody is quiet"
        );
        drop(node);
        assert_eq!(directory.admit(&peer), Admission::Unknown);
    }

    #[test]
    fn a_peer_that_connects_in_a_loop_is_noted_once_a_minute() {
        let (_dir, clock_ms, node) = node();
        add(&node, TransportKey::from_seed([7; 32]).public());
        let seen_after = |seconds: u64| {
            clock_ms.store(NOON_MS + seconds * 1_000, Ordering::SeqCst);
            note_seen(&node, "RS").unwrap();
            let seen = super::super::find(&node, "RS").unwrap().last_seen.unwrap();
            seen - NOON_MS / 1_000
        };
        assert_eq!([0, 59, 60, 61].map(seen_after), [0, 0, 60, 60]);
        assert!(note_seen(&node, "HR").is_ok(), "removed meanwhile");
    }
}
