//! Everything a peer, or a stranger, can make this node store or wait for.

use std::time::Duration;

use quinn::{IdleTimeout, VarInt};

/// One second covers three lost packets at 100 ms of round trip; ten leave room for a slow line and a busy peer.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The greeting is one round trip and no work.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// RFC 9308, section 3.2: middleboxes forget a quiet UDP flow after 30 seconds.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Two keep-alives can get lost before [`IDLE_TIMEOUT`] passes.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// A retry token is used at once; RFC 9000, section 8.1.3 asks for a short life.
const RETRY_TOKEN_LIFETIME: Duration = Duration::from_secs(10);

/// One stream at 300 Mbit/s over 100 ms of round trip.
const STREAM_RECEIVE_WINDOW_BYTES: u32 = 4 << 20;

/// Four bulk streams at full speed, and the most memory one connection can make this node hold unread.
const RECEIVE_WINDOW_BYTES: u32 = 16 << 20;

/// As much unacknowledged data as a peer with our receive window takes.
const SEND_WINDOW_BYTES: u32 = 16 << 20;

/// A round uses one control stream; the rest is slack for its successors while old ones are being acknowledged.
const BI_STREAMS_MAX: u32 = 16;

/// One bulk stream per key type (at most 32 types in a question), in both directions of use.
const UNI_STREAMS_MAX: u32 = 64;

/// Each costs about a millisecond of computing and some 50 kB; a pair of agencies needs one at a time.
const HANDSHAKES_MAX: usize = 64;

/// One address cannot take all of [`HANDSHAKES_MAX`]; several nodes behind one address still fit.
const HANDSHAKES_PER_ADDRESS_MAX: usize = 8;

/// One connection per round; no pair runs more rounds at the same time.
const CONNECTIONS_PER_PEER_MAX: usize = 16;

/// The node takes accepted connections at once; a longer queue would only hide that it does not.
const ACCEPT_QUEUE_MAX: usize = 32;

/// First packets waiting to be looked at (each at most one datagram), before the address is validated.
const INCOMING_MAX: usize = 256;

/// A ClientHello with X25519MLKEM768 takes two datagrams; retransmitted ones take the rest.
const INCOMING_BUFFER_BYTES: u64 = 16 << 10;

/// All of the waiting ones together.
const INCOMING_BUFFER_TOTAL_BYTES: u64 = 1 << 20;

/// The bounds of an [`Endpoint`](crate::Endpoint). [`Limits::default`] states the reason for each value at its constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the first packet to an authenticated peer, on both sides.
    pub handshake_timeout: Duration,
    /// From an authenticated peer to the greeting, on both sides.
    pub greeting_timeout: Duration,
    /// A connection on which nothing arrives for so long has ended.
    pub idle_timeout: Duration,
    /// How often the connecting side pings when it has nothing to say. The accepting side never does.
    pub keep_alive: Duration,
    /// How long a retry token proves an address.
    pub retry_token_lifetime: Duration,
    /// Unread bytes of one stream.
    pub stream_receive_window_bytes: u32,
    /// Unread bytes of all streams of a connection.
    pub receive_window_bytes: u32,
    /// Sent and not yet acknowledged bytes of a connection.
    pub send_window_bytes: u32,
    /// Bidirectional streams a peer may have open on a connection.
    pub bi_streams_max: u32,
    /// Unidirectional streams a peer may have open on a connection.
    pub uni_streams_max: u32,
    /// Incoming connections being authenticated or greeted at the same time.
    pub handshakes_max: usize,
    /// The same, from one address (IPv4) or one /64 network (IPv6).
    pub handshakes_per_address_max: usize,
    /// Accepted connections of one peer that are open at the same time.
    pub connections_per_peer_max: usize,
    /// Accepted connections waiting for [`Endpoint::accept`](crate::Endpoint::accept).
    pub accept_queue_max: usize,
    /// First packets waiting to be looked at.
    pub incoming_max: usize,
    /// Bytes buffered for one of them.
    pub incoming_buffer_bytes: u64,
    /// Bytes buffered for all of them.
    pub incoming_buffer_total_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: HANDSHAKE_TIMEOUT,
            greeting_timeout: GREETING_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            keep_alive: KEEP_ALIVE,
            retry_token_lifetime: RETRY_TOKEN_LIFETIME,
            stream_receive_window_bytes: STREAM_RECEIVE_WINDOW_BYTES,
            receive_window_bytes: RECEIVE_WINDOW_BYTES,
            send_window_bytes: SEND_WINDOW_BYTES,
            bi_streams_max: BI_STREAMS_MAX,
            uni_streams_max: UNI_STREAMS_MAX,
            handshakes_max: HANDSHAKES_MAX,
            handshakes_per_address_max: HANDSHAKES_PER_ADDRESS_MAX,
            connections_per_peer_max: CONNECTIONS_PER_PEER_MAX,
            accept_queue_max: ACCEPT_QUEUE_MAX,
            incoming_max: INCOMING_MAX,
            incoming_buffer_bytes: INCOMING_BUFFER_BYTES,
            incoming_buffer_total_bytes: INCOMING_BUFFER_TOTAL_BYTES,
        }
    }
}

impl Limits {
    /// Refuses limits under which no connection could live.
    pub(crate) fn check(&self) -> Result<(), LimitsError> {
        let counts = [
            ("handshake_timeout", self.handshake_timeout.as_millis()),
            ("greeting_timeout", self.greeting_timeout.as_millis()),
            ("keep_alive", self.keep_alive.as_millis()),
            (
                "retry_token_lifetime",
                self.retry_token_lifetime.as_millis(),
            ),
            (
                "stream_receive_window_bytes",
                self.stream_receive_window_bytes.into(),
            ),
            ("receive_window_bytes", self.receive_window_bytes.into()),
            ("send_window_bytes", self.send_window_bytes.into()),
            ("bi_streams_max", self.bi_streams_max.into()),
            ("handshakes_max", self.handshakes_max as u128),
            (
                "handshakes_per_address_max",
                self.handshakes_per_address_max as u128,
            ),
            (
                "connections_per_peer_max",
                self.connections_per_peer_max as u128,
            ),
            ("accept_queue_max", self.accept_queue_max as u128),
            ("incoming_max", self.incoming_max as u128),
            ("incoming_buffer_bytes", self.incoming_buffer_bytes.into()),
            (
                "incoming_buffer_total_bytes",
                self.incoming_buffer_total_bytes.into(),
            ),
        ];
        if let Some((limit, _)) = counts.into_iter().find(|(_, value)| *value == 0) {
            return Err(LimitsError::Zero { limit });
        }
        if self.idle_timeout <= self.keep_alive {
            return Err(LimitsError::KeepAliveTooSlow);
        }
        if IdleTimeout::try_from(self.idle_timeout).is_err() {
            return Err(LimitsError::IdleTimeoutTooLong);
        }
        if self.stream_receive_window_bytes > self.receive_window_bytes {
            return Err(LimitsError::StreamWindowTooLarge);
        }
        Ok(())
    }

    /// The part that QUIC enforces, for one of the two sides.
    pub(crate) fn transport(&self, side: quinn::Side) -> quinn::TransportConfig {
        let mut transport = quinn::TransportConfig::default();
        transport
            .max_idle_timeout(Some(
                self.idle_timeout
                    .try_into()
                    .expect("checked when the endpoint was bound"),
            ))
            .keep_alive_interval(side.is_client().then_some(self.keep_alive))
            .stream_receive_window(VarInt::from_u32(self.stream_receive_window_bytes))
            .receive_window(VarInt::from_u32(self.receive_window_bytes))
            .send_window(self.send_window_bytes.into())
            .max_concurrent_bidi_streams(VarInt::from_u32(self.bi_streams_max))
            .max_concurrent_uni_streams(VarInt::from_u32(self.uni_streams_max))
            .datagram_receive_buffer_size(None)
            .datagram_send_buffer_size(0)
            // The spin bit shows the round-trip time to everybody on the path (RFC 9000, section 17.4).
            .allow_spin(false);
        transport
    }
}

/// Why a set of [`Limits`] cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// A bound of zero lets nothing through.
    #[error("the limit `{limit}` is zero")]
    Zero {
        /// The name of the field.
        limit: &'static str,
    },
    /// The idle time-out would end every quiet connection.
    #[error("the idle time-out is not longer than the keep-alive interval")]
    KeepAliveTooSlow,
    /// QUIC carries at most 2^62 − 1 milliseconds.
    #[error("the idle time-out is too long for QUIC")]
    IdleTimeoutTooLong,
    /// A stream could never fill its window.
    #[error("a stream's receive window is larger than its connection's")]
    StreamWindowTooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_limits_are_usable() {
        assert_eq!(Limits::default().check(), Ok(()));
    }

    #[test]
    fn limits_that_would_stop_everything_are_refused_by_name() {
        let limits = Limits {
            handshakes_max: 0,
            ..Limits::default()
        };
        assert_eq!(
            limits.check(),
            Err(LimitsError::Zero {
                limit: "handshakes_max"
            })
        );
        let limits = Limits {
            keep_alive: IDLE_TIMEOUT,
            ..Limits::default()
        };
        assert_eq!(limits.check(), Err(LimitsError::KeepAliveTooSlow));
        let limits = Limits {
            idle_timeout: Duration::MAX,
            ..Limits::default()
        };
        assert_eq!(limits.check(), Err(LimitsError::IdleTimeoutTooLong));
        let limits = Limits {
            receive_window_bytes: 1,
            ..Limits::default()
        };
        assert_eq!(limits.check(), Err(LimitsError::StreamWindowTooLarge));
    }

    #[test]
    fn quic_gets_the_limits_and_not_its_own_defaults() {
        let limits = Limits {
            stream_receive_window_bytes: 1_111,
            receive_window_bytes: 2_222,
            send_window_bytes: 3_333,
            bi_streams_max: 4,
            uni_streams_max: 5,
            ..Limits::default()
        };
        let client = format!("{:?}", limits.transport(quinn::Side::Client));
        let server = format!("{:?}", limits.transport(quinn::Side::Server));
        for both in [&client, &server] {
            for setting in [
                "stream_receive_window: 1111",
                " receive_window: 2222",
                "send_window: 3333",
                "max_concurrent_bidi_streams: 4",
                "max_concurrent_uni_streams: 5",
                "max_idle_timeout: Some(30000)",
                "datagram_receive_buffer_size: None",
                "datagram_send_buffer_size: 0",
                "allow_spin: false",
            ] {
                assert!(both.contains(setting), "{setting} missing from {both}");
            }
        }
        assert!(
            client.contains("keep_alive_interval: Some(10s)"),
            "{client}"
        );
        assert!(server.contains("keep_alive_interval: None"), "{server}");
    }
}
