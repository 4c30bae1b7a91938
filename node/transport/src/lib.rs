//! QUIC between two pinned nodes, with a post-quantum key exchange.
//!
//! ```text
//!        this node                                               the peer
//!  ┌────────────────────┐                                  ┌────────────────────┐
//!  │ Endpoint::connect  │── Initial ──────────────────────►│ Endpoint::bind     │
//!  │                    │◄───────────── Retry: prove your ─│  address validated │
//!  │                    │               address            │  room left?        │
//!  │  X25519MLKEM768,   │── Initial with token ───────────►│                    │
//!  │  TLS 1.3 only      │◄──────── raw public key, proof ──│  its pinned key    │
//!  │  the pinned key?   │── raw public key, proof ────────►│  PeerDirectory:    │
//!  │                    │                                  │  known, quiet, no  │
//!  │  greeting ─────────│── "mandorla", version 1 ────────►│                    │
//!  │                    │◄───────── "mandorla", version 1 ─│  greeting          │
//!  │  Connection        │                                  │  Connection        │
//!  └────────────────────┘                                  └────────────────────┘
//!         streams, frames, an exporter both sides share, byte counts
//! ```
//!
//! A [`Connection`] exists only between two nodes that know each other: both proved an ed25519 key the other had
//! pinned (RFC 7250 raw public keys, no certificate authority), agreed on ALPN `mandorla/1`, and exchanged a greeting
//! *after* the handshake. The greeting matters: in TLS 1.3 the connecting side is finished before the accepting side has
//! looked at its key, so a finished handshake alone says nothing about being admitted.
//!
//! What is switched off, because each would weaken a promise: certificates, TLS 1.2, every key exchange but
//! X25519MLKEM768, early data (replayable), resumption and tickets (they link connections), server name indication,
//! address tokens that outlive a connection, datagrams, migration of accepted connections, the spin bit, and QUIC
//! versions other than 1. Everything a peer can make this node store is bounded by [`Limits`].
//!
//! Every refusal on the accepting side is logged under the target `mandorla::transport` and told to the [`Observer`]
//! with its reason; a refused peer learns as little as it needs to find its own mistake, as a [`ConnectError`].

mod acceptor;
mod close;
mod config;
mod connection;
mod directory;
mod endpoint;
mod error;
pub mod frame;
mod greeting;
mod key;
mod limits;
mod quota;
mod refusal;
mod verifier;

pub use close::{CloseCode, Closed};
pub use config::ALPN;
pub use connection::{Connection, ExporterError, Traffic};
pub use directory::{Admission, PeerDirectory};
pub use endpoint::Endpoint;
pub use error::{BindError, ConnectError, Stage};
pub use greeting::GREETING_VERSION;
pub use key::{PeerKey, PeerKeyParseError, TransportKey};
pub use limits::{Limits, LimitsError};
pub use quinn::{RecvStream, SendStream};
pub use refusal::{Observer, Refusal, RefusalReason, Tally};
