//! A connection that stands: both keys proven, both sides have greeted.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use quinn::{RecvStream, SendStream};
use tokio::sync::oneshot;

use crate::quota::Place;
use crate::{CloseCode, Closed, PeerKey};

/// A connection with an authenticated peer. Clones are handles to the same one.
///
/// When every handle and every stream is dropped, the peer sees it closed with [`CloseCode::DONE`].
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    quinn: quinn::Connection,
    peer: PeerKey,
    /// Dropped with the last handle, which gives the peer's place back; nothing is ever sent.
    _handles: Option<oneshot::Sender<Infallible>>,
}

impl Connection {
    /// A connection this node opened.
    pub(crate) fn opened(quinn: quinn::Connection, peer: PeerKey) -> Self {
        Self(Arc::new(Inner {
            quinn,
            peer,
            _handles: None,
        }))
    }

    /// A connection the peer opened. Its place is free again when it has ended or nobody here holds it any more,
    /// whichever comes first.
    pub(crate) fn accepted(quinn: quinn::Connection, place: Place<PeerKey>, peer: PeerKey) -> Self {
        let (handles, dropped) = oneshot::channel();
        let watched = quinn.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = watched.closed() => {}
                _ = dropped => {}
            }
            drop(place);
        });
        Self(Arc::new(Inner {
            quinn,
            peer,
            _handles: Some(handles),
        }))
    }

    /// The key the peer has proven.
    pub fn peer(&self) -> PeerKey {
        self.0.peer
    }

    /// Where the peer's packets come from.
    pub fn remote_address(&self) -> SocketAddr {
        self.0.quinn.remote_address()
    }

    /// Thirty-two secret bytes that only the two ends of this connection can compute (RFC 8446, section 7.5).
    ///
    /// Equal on both ends for the same label and context; unrelated for any other label, context or connection.
    pub fn exporter(&self, label: &[u8], context: &[u8]) -> Result<[u8; 32], ExporterError> {
        let mut output = [0; 32];
        self.0
            .quinn
            .export_keying_material(&mut output, label, context)
            .map_err(|_| ExporterError)?;
        Ok(output)
    }

    /// Opens a stream in both directions; waits while the peer allows no more. The peer sees it with the first byte.
    pub async fn open_bi(&self) -> Result<(SendStream, RecvStream), Closed> {
        Ok(self.0.quinn.open_bi().await?)
    }

    /// The next stream in both directions that the peer opens.
    pub async fn accept_bi(&self) -> Result<(SendStream, RecvStream), Closed> {
        Ok(self.0.quinn.accept_bi().await?)
    }

    /// Opens a stream to the peer; waits while the peer allows no more. The peer sees it with the first byte.
    pub async fn open_uni(&self) -> Result<SendStream, Closed> {
        Ok(self.0.quinn.open_uni().await?)
    }

    /// The next stream that the peer opens to this node.
    pub async fn accept_uni(&self) -> Result<RecvStream, Closed> {
        Ok(self.0.quinn.accept_uni().await?)
    }

    /// Closes at once: what was sent and not yet acknowledged may be lost. The peer reads the reason; put no secret there.
    pub fn close(&self, code: CloseCode, reason: &str) {
        self.0.quinn.close(code.to_wire(), reason.as_bytes());
    }

    /// Waits until the connection has ended.
    pub async fn closed(&self) -> Closed {
        self.0.quinn.closed().await.into()
    }

    /// How the connection ended, if it has.
    pub fn close_reason(&self) -> Option<Closed> {
        self.0.quinn.close_reason().map(Closed::from)
    }

    /// Bytes in UDP payloads so far, handshake and overhead included.
    pub fn stats(&self) -> Traffic {
        let stats = self.0.quinn.stats();
        Traffic {
            udp_tx_bytes: stats.udp_tx.bytes,
            udp_rx_bytes: stats.udp_rx.bytes,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer())
            .field("remote", &self.remote_address())
            .finish_non_exhaustive()
    }
}

/// What a connection has cost the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes sent in UDP payloads.
    pub udp_tx_bytes: u64,
    /// Bytes received in UDP payloads.
    pub udp_rx_bytes: u64,
}

/// TLS exports no key of this label or context (longer than TLS can encode).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("TLS cannot export a key for this label and context")]
pub struct ExporterError;
