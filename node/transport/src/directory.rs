//! Who may connect: the question the transport asks the node.

use crate::PeerKey;

/// The node's answer to "may this key connect now?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A peer of this node, welcome now.
    Known,
    /// No peer of this node: the TLS handshake fails.
    Unknown,
    /// A peer of this node that must come back later: the handshake succeeds, so that the peer can be told in a form only
    /// it can read, and the connection is closed with [`CloseCode::QUIET`](crate::CloseCode::QUIET) before any stream is
    /// looked at.
    Quiet,
}

/// The peers of this node.
///
/// Asked twice for each incoming connection, in the handshake as soon as the peer has proven its key and again after it, so
/// that a peer suspended in between does not slip through. Never asked about a key that is only claimed: a stranger with a
/// list of public keys must not find out who talks to whom. Both calls are on the network path: answer from memory.
pub trait PeerDirectory: Send + Sync + 'static {
    /// May the holder of this key connect now?
    fn admit(&self, key: &PeerKey) -> Admission;
}
