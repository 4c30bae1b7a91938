//! Why a connection ended.

use std::fmt;

use quinn::{ConnectionError, VarInt};

/// The application error code in QUIC's CONNECTION_CLOSE frame (RFC 9000, section 19.19).
///
/// Codes below [`CloseCode::FIRST_FREE`] belong to this crate; the node chooses its own from there on.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CloseCode(pub u32);

impl CloseCode {
    /// Nothing left to say. Also what a peer sees when every handle was dropped.
    pub const DONE: Self = Self(0);
    /// The peer is known and must come back later; nothing it sent was looked at.
    pub const QUIET: Self = Self(1);
    /// No room for this connection now.
    pub const BUSY: Self = Self(2);
    /// The peer was admitted by the handshake and is unknown by now.
    pub const REFUSED: Self = Self(3);
    /// The greeting was not one.
    pub const GREETING: Self = Self(4);
    /// The greeting named a version this node does not speak.
    pub const VERSION: Self = Self(5);
    /// The node is stopping.
    pub const SHUTDOWN: Self = Self(6);
    /// The first code that this crate leaves to the node.
    pub const FIRST_FREE: Self = Self(0x100);

    pub(crate) fn to_wire(self) -> VarInt {
        VarInt::from_u32(self.0)
    }

    /// Codes beyond 32 bits are nobody's; they all read as the highest.
    pub(crate) fn from_wire(code: VarInt) -> Self {
        Self(u32::try_from(code.into_inner()).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::DONE => "done",
            Self::QUIET => "quiet",
            Self::BUSY => "busy",
            Self::REFUSED => "refused",
            Self::GREETING => "greeting",
            Self::VERSION => "version",
            Self::SHUTDOWN => "shutdown",
            Self(code) => return write!(f, "{code:#x}"),
        };
        f.write_str(name)
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({self})")
    }
}

/// How an established connection ended. Text that the peer sent along is not kept: it is the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Closed {
    /// This side closed it, or its endpoint.
    #[error("closed by this node")]
    Here,
    /// The peer closed it with this code.
    #[error("closed by the peer ({code})")]
    ByPeer {
        /// The peer's code.
        code: CloseCode,
    },
    /// Nothing arrived for the idle time-out.
    #[error("nothing heard from the peer within the idle time-out")]
    TimedOut,
    /// The peer no longer knows this connection, as after a restart.
    #[error("the peer no longer knows this connection")]
    Reset,
    /// One side broke QUIC's rules; the code is of RFC 9000, section 20.1.
    #[error("QUIC error {code:#x}")]
    Quic {
        /// The transport error code.
        code: u64,
    },
}

impl From<ConnectionError> for Closed {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::LocallyClosed => Self::Here,
            ConnectionError::ApplicationClosed(close) => Self::ByPeer {
                code: CloseCode::from_wire(close.error_code),
            },
            ConnectionError::TimedOut => Self::TimedOut,
            ConnectionError::Reset => Self::Reset,
            ConnectionError::TransportError(error) => Self::Quic {
                code: error.code.into(),
            },
            ConnectionError::ConnectionClosed(close) => Self::Quic {
                code: close.error_code.into(),
            },
            // Both end an attempt before there is a connection; mapped for completeness to QUIC's INTERNAL_ERROR.
            ConnectionError::VersionMismatch | ConnectionError::CidsExhausted => {
                Self::Quic { code: 1 }
            }
        }
    }
}
