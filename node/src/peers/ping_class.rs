//! What kind of failure a ping met: each asks for another remedy.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mandorla_control::ApiError;
use mandorla_transport::ConnectError;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::control_stream::ControlError;

/// How long a host that is there takes to say that nothing listens: some round trips.
const ICMP_TIMEOUT: Duration = Duration::from_secs(1);

/// A ping that failed.
#[derive(Debug)]
pub(crate) struct PingFailure {
    pub class: PingClass,
    pub error: ApiError,
}

impl PingFailure {
    pub(super) fn new(class: PingClass, error: ApiError) -> Self {
        Self { class, error }
    }
}

/// The classes of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PingClass {
    /// The address of the card leads nowhere.
    Address,
    /// The peer's host is there, and nothing listens on the port.
    NothingListens,
    /// This host or the network in between lets no datagram out.
    UdpBlocked,
    /// Silence: a firewall that drops UDP, or a host that is down.
    Timeout,
    /// Somebody else answers, or the peer has new keys.
    WrongKey,
    /// The peer does not know this node.
    Refused,
    /// The peer wants this node to come back later.
    Later,
    /// Another program, or a node of another version.
    Protocol,
    /// The connection stood, and the clocks are this many seconds apart.
    Clock(i64),
}

impl PingClass {
    /// Of a connection that did not come to stand.
    pub(super) async fn of(error: &ConnectError, address: SocketAddr) -> Self {
        match Self::told_by(error) {
            Self::Timeout => silence(address).await,
            told => told,
        }
    }

    /// What the error alone says.
    pub(super) fn told_by(error: &ConnectError) -> Self {
        match error {
            ConnectError::TimedOut { .. } => Self::Timeout,
            ConnectError::Address { .. } | ConnectError::EndpointClosed => Self::Address,
            ConnectError::WrongKey { .. } | ConnectError::NoProof { .. } => Self::WrongKey,
            ConnectError::Refused { .. } => Self::Refused,
            ConnectError::Quiet { .. }
            | ConnectError::Busy { .. }
            | ConnectError::Closed { .. } => Self::Later,
            ConnectError::ProtocolMismatch { .. }
            | ConnectError::KeyExchangeMismatch { .. }
            | ConnectError::Handshake { .. } => Self::Protocol,
        }
    }

    /// Of a stream that broke.
    pub(super) fn of_control(error: &ControlError) -> Self {
        match error {
            ControlError::Line(_) | ControlError::TimedOut(_) => Self::Timeout,
            ControlError::Refused(_) => Self::Refused,
            ControlError::Malformed(_) => Self::Protocol,
        }
    }

    /// Why it matters.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::WrongKey => "whoever answers there is not the peer whose words were compared",
            Self::Clock(_) => "every round is refused while the clocks are so far apart",
            _ => "no round can begin or go on, and no answer can be fetched",
        }
    }

    /// The next step.
    pub(crate) fn remedy(self, code: &str) -> String {
        match self {
            Self::Address => format!("mandorla peer show {code}"),
            Self::NothingListens => format!("ask {code} to start its node: mandorla node run"),
            Self::UdpBlocked => "let UDP out of this host to the peer's port".to_owned(),
            Self::Timeout => {
                format!("ask {code} whether its node runs, and both networks whether UDP passes")
            }
            Self::WrongKey => format!(
                "call the operator of {code} and compare the words: mandorla peer verify {code}"
            ),
            Self::Refused => format!("{code} must add this node's card: mandorla peer export"),
            Self::Later => format!("mandorla peer ping {code}"),
            Self::Protocol => "compare `mandorla version` on both nodes".to_owned(),
            Self::Clock(_) => "on both hosts: timedatectl set-ntp true".to_owned(),
        }
    }

    /// Whether waiting is enough.
    pub(crate) fn passes_by_itself(self) -> bool {
        self == Self::Later
    }
}

impl fmt::Display for PingClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "bad address",
            Self::NothingListens => "nothing listens",
            Self::UdpBlocked => "UDP blocked",
            Self::Timeout => "timeout",
            Self::WrongKey => "wrong key",
            Self::Refused => "refused",
            Self::Later => "later",
            Self::Protocol => "protocol mismatch",
            Self::Clock(_) => "clock",
        })
    }
}

/// What is behind a silence. A datagram to a port where nothing listens comes back as an ICMP message, which the
/// kernel tells a connected socket; QUIC's own socket serves all peers and is not connected.
async fn silence(address: SocketAddr) -> PingClass {
    match timeout(ICMP_TIMEOUT, knock(address)).await {
        Err(_) => PingClass::Timeout,
        Ok(error) => of_io(error.kind()),
    }
}

fn of_io(kind: ErrorKind) -> PingClass {
    match kind {
        ErrorKind::ConnectionRefused => PingClass::NothingListens,
        ErrorKind::PermissionDenied
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable => PingClass::UdpBlocked,
        _ => PingClass::Timeout,
    }
}

/// Sends a datagram that no node answers, and waits for the network to say something about it.
async fn knock(address: SocketAddr) -> io::Error {
    let any = if address.is_ipv4() {
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
    } else {
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
    };
    let knocked = async {
        let socket = UdpSocket::bind(any).await?;
        socket.connect(address).await?;
        socket.send(&[0]).await?;
        socket.recv(&mut [0]).await
    };
    knocked
        .await
        .err()
        .unwrap_or_else(|| io::Error::from(ErrorKind::TimedOut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_where_nothing_listens_is_told_from_one_that_is_silent() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        assert_eq!(
            silence(address).await,
            PingClass::Timeout,
            "listens, and says nothing"
        );
        drop(socket);
        assert_eq!(silence(address).await, PingClass::NothingListens);
    }

    #[test]
    fn a_network_that_lets_nothing_out_is_blocked() {
        for kind in [
            ErrorKind::PermissionDenied,
            ErrorKind::HostUnreachable,
            ErrorKind::NetworkUnreachable,
        ] {
            assert_eq!(of_io(kind), PingClass::UdpBlocked);
        }
    }
}
