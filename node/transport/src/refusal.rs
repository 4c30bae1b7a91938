//! What the accepting side refused, and why: for the log, for metrics and for tests.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use quinn::ConnectionError;
use rustls::{AlertDescription, PeerIncompatible};

use crate::verifier::Verdict;
use crate::{Closed, PeerKey};

/// Why an incoming connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RefusalReason {
    /// As many handshakes as allowed are going on.
    #[error("too many handshakes at the same time")]
    HandshakesFull,
    /// As many handshakes as allowed are going on with this address.
    #[error("too many handshakes with this address at the same time")]
    AddressFull,
    /// The handshake was not finished in time.
    #[error("handshake not finished in time")]
    HandshakeTimeout,
    /// Not ALPN `mandorla/1`.
    #[error("other application protocol than mandorla/1")]
    ApplicationProtocol,
    /// No X25519MLKEM768 in the offer.
    #[error("no X25519MLKEM768 in the offer")]
    KeyExchange,
    /// The peer's TLS does not do raw public keys.
    #[error("no raw public keys in the offer")]
    CertificateType,
    /// The peer presented something other than one usable ed25519 key, or nothing.
    #[error("no usable ed25519 key presented")]
    NotAKey,
    /// The directory does not know the key, which the peer has proven.
    #[error("unknown key")]
    UnknownPeer,
    /// The peer presented a key and could not prove that it holds it.
    #[error("key presented without proof")]
    NoProof,
    /// The peer ended the handshake over *our* key: it has pinned another one.
    #[error("the peer expects another key of this node")]
    RefusedByPeer,
    /// The handshake failed in another way; the code is QUIC's (RFC 9000, section 20.1), 0x100 to 0x1ff are TLS alerts.
    #[error("handshake failed with QUIC error {code:#x}")]
    Handshake {
        /// The transport error code.
        code: u64,
    },
    /// The peer was gone before the connection stood.
    #[error("the peer went away ({0})")]
    Gone(Closed),
    /// The directory wants this peer to come back later.
    #[error("peer to come back later")]
    Quiet,
    /// The peer has as many connections as allowed.
    #[error("too many connections of this peer")]
    PeerFull,
    /// No greeting within its time.
    #[error("no greeting in time")]
    GreetingTimeout,
    /// Something else where the greeting should have been.
    #[error("not a greeting")]
    Greeting,
    /// A greeting of another version.
    #[error("greeting of version {theirs}")]
    GreetingVersion {
        /// The version the peer named.
        theirs: u16,
    },
    /// This node does not take its accepted connections.
    #[error("accepted connections are not being taken")]
    QueueFull,
}

/// A refused connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where it came from; the address has been proven.
    pub remote: SocketAddr,
    /// The key that was presented, if it came to that. Only claimed for [`RefusalReason::NoProof`] and for attempts that
    /// ended on the way (time-out, gone); proven otherwise.
    pub peer: Option<PeerKey>,
    /// Why it was refused.
    pub reason: RefusalReason,
}

impl Refusal {
    pub(crate) fn log(&self) {
        let Self {
            remote,
            peer,
            reason,
        } = self;
        let peer = peer.map(tracing::field::display);
        match reason {
            // Anybody can cause these at any rate; they are counted, not written to the log by default.
            RefusalReason::HandshakesFull | RefusalReason::AddressFull => {
                tracing::debug!(target: "mandorla::transport", %remote, peer, %reason, "connection refused");
            }
            _ => {
                tracing::warn!(target: "mandorla::transport", %remote, peer, %reason, "connection refused");
            }
        }
    }
}

/// Told about everything the accepting side does before a connection stands. Called on the network path: be quick.
pub trait Observer: Send + Sync + 'static {
    /// A connection was refused.
    fn refused(&self, refusal: &Refusal) {
        let _ = refusal;
    }

    /// A first packet from an address not yet proven was answered with a Retry (RFC 9000, section 8.1.2).
    fn retried(&self, remote: SocketAddr) {
        let _ = remote;
    }

    /// A peer was authenticated and has greeted.
    fn accepted(&self, remote: SocketAddr, peer: &PeerKey) {
        let _ = (remote, peer);
    }
}

/// An [`Observer`] that counts.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    refused: HashMap<RefusalReason, u64>,
    retried: u64,
    accepted: u64,
}

impl Tally {
    /// How many connections were refused for this reason.
    pub fn refused_count(&self, reason: RefusalReason) -> u64 {
        self.counts(|counts| counts.refused.get(&reason).copied().unwrap_or(0))
    }

    /// How many first packets were answered with a Retry.
    pub fn retried_count(&self) -> u64 {
        self.counts(|counts| counts.retried)
    }

    /// How many connections were accepted.
    pub fn accepted_count(&self) -> u64 {
        self.counts(|counts| counts.accepted)
    }

    fn counts<T>(&self, see: impl FnOnce(&mut Counts) -> T) -> T {
        see(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Tally {
    fn refused(&self, refusal: &Refusal) {
        self.counts(|counts| *counts.refused.entry(refusal.reason).or_default() += 1);
    }

    fn retried(&self, _remote: SocketAddr) {
        self.counts(|counts| counts.retried += 1);
    }

    fn accepted(&self, _remote: SocketAddr, _peer: &PeerKey) {
        self.counts(|counts| counts.accepted += 1);
    }
}

/// QUIC's code for a TLS alert (RFC 9001, section 4.8).
pub(crate) fn alert_code(alert: AlertDescription) -> u64 {
    0x100 | u64::from(u8::from(alert))
}

/// The alerts by which a TLS peer says that it does not take the identity presented to it.
pub(crate) fn is_about_identity(code: u64) -> bool {
    [
        AlertDescription::BadCertificate,
        AlertDescription::UnsupportedCertificate,
        AlertDescription::CertificateRevoked,
        AlertDescription::CertificateExpired,
        AlertDescription::CertificateUnknown,
        AlertDescription::UnknownCA,
        AlertDescription::AccessDenied,
        AlertDescription::DecryptError,
        AlertDescription::CertificateRequired,
    ]
    .into_iter()
    .any(|alert| code == alert_code(alert))
}

/// The reason behind a handshake that failed on the accepting side.
pub(crate) fn handshake_refusal(
    error: &ConnectionError,
    verdict: Option<Verdict>,
) -> RefusalReason {
    match verdict {
        Some(Verdict::NotAKey) => return RefusalReason::NotAKey,
        Some(Verdict::Unknown(_) | Verdict::OtherKey(_)) => return RefusalReason::UnknownPeer,
        Some(Verdict::Presented(_) | Verdict::Proven(_)) | None => {}
    }
    let local = match error {
        ConnectionError::TransportError(error) => error,
        ConnectionError::ConnectionClosed(close) if is_about_identity(close.error_code.into()) => {
            return RefusalReason::RefusedByPeer;
        }
        other => return RefusalReason::Gone(other.clone().into()),
    };
    let code = u64::from(local.code);
    // One alert, handshake_failure, stands for several mismatches; the reason is our own rustls' text for its own error.
    let says =
        |mismatch: PeerIncompatible| local.reason == rustls::Error::from(mismatch).to_string();
    if code == alert_code(AlertDescription::NoApplicationProtocol) {
        RefusalReason::ApplicationProtocol
    } else if says(PeerIncompatible::NoKxGroupsInCommon) {
        RefusalReason::KeyExchange
    } else if says(PeerIncompatible::IncorrectCertificateTypeExtension) {
        RefusalReason::CertificateType
    } else if code == alert_code(AlertDescription::DecryptError)
        && matches!(verdict, Some(Verdict::Presented(_)))
    {
        RefusalReason::NoProof
    } else if code == alert_code(AlertDescription::CertificateRequired) {
        RefusalReason::NotAKey
    } else {
        RefusalReason::Handshake { code }
    }
}
