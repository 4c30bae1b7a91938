//! What can go wrong on the way to a connection, as far as the operator can do something about it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use quinn::{ConnectionError, TransportErrorCode};
use rustls::AlertDescription;

use crate::greeting::GreetingError;
use crate::refusal::{alert_code, is_about_identity};
use crate::verifier::Verdict;
use crate::{CloseCode, LimitsError, PeerKey};

/// Why an endpoint could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program, or another node, has the port.
    #[error("{addr} is already in use")]
    AddressInUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// No interface of this host has the address.
    #[error("{addr} is not an address of this host")]
    AddressUnavailable {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The operating system said no in another way.
    #[error("cannot bind {addr}")]
    Io {
        /// The address asked for.
        addr: SocketAddr,
        /// What it said.
        source: io::Error,
    },
    /// The limits cannot be used.
    #[error("unusable limits")]
    Limits(#[from] LimitsError),
    /// Called outside a tokio runtime.
    #[error("no tokio runtime to run the endpoint on")]
    NoRuntime,
}

impl BindError {
    pub(crate) fn from_io(addr: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { addr },
            io::ErrorKind::AddrNotAvailable => Self::AddressUnavailable { addr },
            _ => Self::Io { addr, source },
        }
    }
}

/// How far an attempt to connect had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No authenticated peer yet. Nothing may be listening, or a firewall in between.
    Handshake,
    /// The peer proved its key and did not answer the greeting.
    Greeting,
}

/// Why a connection did not come to stand. Each variant asks for another remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No answer in time.
    #[error("no answer from {remote} within {} ms", waited.as_millis())]
    TimedOut {
        /// Where the peer should have been.
        remote: SocketAddr,
        /// How far the attempt had come.
        stage: Stage,
        /// How long that stage may take.
        waited: Duration,
    },
    /// The address cannot be connected to from this endpoint, as an IPv6 address from an IPv4 socket.
    #[error("{remote} cannot be reached from this endpoint's address")]
    Address {
        /// The address asked for.
        remote: SocketAddr,
    },
    /// Another key than the pinned one: the peer has changed its key, or it is not the peer.
    #[error("{remote} presented key {presented}, expected {expected}")]
    WrongKey {
        /// Who presented it.
        remote: SocketAddr,
        /// The pinned key.
        expected: PeerKey,
        /// The key presented; not proven.
        presented: PeerKey,
    },
    /// The pinned key was presented without a proof of holding it, or something that is no usable key was.
    #[error("{remote} could not prove key {expected}")]
    NoProof {
        /// Who could not.
        remote: SocketAddr,
        /// The pinned key.
        expected: PeerKey,
    },
    /// The peer does not know this node's key: pair again, or ask the peer to.
    #[error("{remote} does not know this node's key {ours}")]
    Refused {
        /// Who refused.
        remote: SocketAddr,
        /// The key this node presented.
        ours: PeerKey,
    },
    /// The peer knows this node and wants it to come back later.
    #[error("{remote} takes no connection from this node now")]
    Quiet {
        /// Who said so.
        remote: SocketAddr,
    },
    /// The peer has no room, or is stopping.
    #[error("{remote} has no room for a connection now")]
    Busy {
        /// Who said so.
        remote: SocketAddr,
    },
    /// Something else is listening, or a node of another version.
    #[error("{remote} does not speak mandorla/1 with greeting version {ours}")]
    ProtocolMismatch {
        /// Who does not.
        remote: SocketAddr,
        /// The greeting version this node speaks.
        ours: u16,
        /// The greeting version the peer named, if it came to that.
        theirs: Option<u16>,
    },
    /// No key exchange in common: the peer does not do X25519MLKEM768, or no raw public keys.
    #[error("{remote} does not offer X25519MLKEM768 with raw public keys")]
    KeyExchangeMismatch {
        /// Who does not.
        remote: SocketAddr,
    },
    /// The handshake failed in another way; the code is QUIC's (RFC 9000, section 20.1), 0x100 to 0x1ff are TLS alerts.
    #[error("handshake with {remote} failed with QUIC error {code:#x}")]
    Handshake {
        /// With whom.
        remote: SocketAddr,
        /// The transport error code.
        code: u64,
    },
    /// The peer closed the connection before it stood.
    #[error("{remote} closed the connection ({code})")]
    Closed {
        /// Who did.
        remote: SocketAddr,
        /// The peer's code.
        code: CloseCode,
    },
    /// This endpoint is closed.
    #[error("this endpoint is closed")]
    EndpointClosed,
}

/// What an attempt knows of itself when it fails.
pub(crate) struct Attempt {
    pub(crate) remote: SocketAddr,
    pub(crate) expected: PeerKey,
    pub(crate) ours: PeerKey,
    pub(crate) handshake_timeout: Duration,
    pub(crate) greeting_timeout: Duration,
}

impl Attempt {
    pub(crate) fn greeting_failed(
        &self,
        error: GreetingError,
        verdict: Option<Verdict>,
    ) -> ConnectError {
        match error {
            GreetingError::Lost(error) => self.failed(error, verdict, Stage::Greeting),
            GreetingError::Malformed => self.protocol_mismatch(None),
            GreetingError::Version { theirs } => self.protocol_mismatch(Some(theirs)),
        }
    }

    pub(crate) fn timed_out(&self, stage: Stage) -> ConnectError {
        let waited = match stage {
            Stage::Handshake => self.handshake_timeout,
            Stage::Greeting => self.greeting_timeout,
        };
        ConnectError::TimedOut {
            remote: self.remote,
            stage,
            waited,
        }
    }

    pub(crate) fn failed(
        &self,
        error: ConnectionError,
        verdict: Option<Verdict>,
        stage: Stage,
    ) -> ConnectError {
        match error {
            ConnectionError::TransportError(error) => self.failed_here(error.code.into(), verdict),
            ConnectionError::ConnectionClosed(close) => self.failed_there(close.error_code.into()),
            ConnectionError::ApplicationClosed(close) => {
                self.closed_there(CloseCode::from_wire(close.error_code))
            }
            ConnectionError::VersionMismatch => self.protocol_mismatch(None),
            ConnectionError::TimedOut | ConnectionError::Reset => self.timed_out(stage),
            ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => {
                ConnectError::EndpointClosed
            }
        }
    }

    /// This side ended it: the verifier's verdict says why, else the alert it sent.
    fn failed_here(&self, code: u64, verdict: Option<Verdict>) -> ConnectError {
        let (remote, expected) = (self.remote, self.expected);
        match verdict {
            Some(Verdict::OtherKey(presented) | Verdict::Unknown(presented)) => {
                ConnectError::WrongKey {
                    remote,
                    expected,
                    presented,
                }
            }
            Some(Verdict::NotAKey) => ConnectError::NoProof { remote, expected },
            Some(Verdict::Presented(_)) if code == alert_code(AlertDescription::DecryptError) => {
                ConnectError::NoProof { remote, expected }
            }
            _ if code == alert_code(AlertDescription::NoApplicationProtocol) => {
                self.protocol_mismatch(None)
            }
            _ => ConnectError::Handshake { remote, code },
        }
    }

    /// The peer's TLS ended it. Before the peer is authenticated its word is a hint and no more.
    fn failed_there(&self, code: u64) -> ConnectError {
        let remote = self.remote;
        if is_about_identity(code) {
            ConnectError::Refused {
                remote,
                ours: self.ours,
            }
        } else if code == alert_code(AlertDescription::NoApplicationProtocol) {
            self.protocol_mismatch(None)
        } else if code == alert_code(AlertDescription::HandshakeFailure) {
            ConnectError::KeyExchangeMismatch { remote }
        } else if code == u64::from(TransportErrorCode::CONNECTION_REFUSED) {
            ConnectError::Busy { remote }
        } else {
            ConnectError::Handshake { remote, code }
        }
    }

    fn closed_there(&self, code: CloseCode) -> ConnectError {
        let remote = self.remote;
        match code {
            CloseCode::QUIET => ConnectError::Quiet { remote },
            CloseCode::BUSY | CloseCode::SHUTDOWN => ConnectError::Busy { remote },
            CloseCode::REFUSED => ConnectError::Refused {
                remote,
                ours: self.ours,
            },
            CloseCode::GREETING | CloseCode::VERSION => self.protocol_mismatch(None),
            code => ConnectError::Closed { remote, code },
        }
    }

    fn protocol_mismatch(&self, theirs: Option<u16>) -> ConnectError {
        ConnectError::ProtocolMismatch {
            remote: self.remote,
            ours: crate::GREETING_VERSION,
            theirs,
        }
    }
}
