//! What can stop a driver: the line, the peer, or this node.

use mandorla_control::{ApiError, ErrorCode};
use mandorla_protocol::{LocalFault, PeerFault, ProtocolError, Refusal};
use mandorla_store::StoreError;
use mandorla_store::run_file::RunError;
use mandorla_transport::{Closed, ConnectError};

use crate::control_stream::ControlError;

/// Why a step of a driver did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoundError {
    /// The line broke or the peer is away: try again.
    #[error("{0}")]
    Line(String),
    /// The peer said no.
    #[error("the peer refused: {0}")]
    Refused(Refusal),
    /// The protocol was broken, or must not go on.
    #[error(transparent)]
    Protocol(ProtocolError),
    /// The store or a file failed: nothing was half-done; try again later.
    #[error("storage: {0}")]
    Storage(String),
    /// The agreement or local policy does not allow it.
    #[error("{0}")]
    NotAllowed(String),
    /// A rule of the agreement or of local policy refuses the round.
    #[error("refused: {0}")]
    NotAdmitted(Box<mandorla_agreement::Refusal>),
    /// The peer takes no connection for a while.
    #[error("the peer takes no connection now")]
    Quiet,
    /// The step was done by somebody else in the meantime, or has no place any more.
    #[error("the round is further on by now")]
    Void,
    /// Nothing more is said on this connection.
    #[error("the connection has served its purpose")]
    Served,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

impl RoundError {
    /// What an operator is told: the error, with its code and the next step where it is theirs to take.
    pub(crate) fn told(&self) -> String {
        if self.is_about_clocks() {
            let code = ErrorCode::PeerClock;
            return format!("{self} ({code}); on both hosts: timedatectl set-ntp true");
        }
        self.to_string()
    }

    fn is_about_clocks(&self) -> bool {
        matches!(
            self,
            Self::Refused(Refusal::Clock)
                | Self::Protocol(ProtocolError::Peer(PeerFault::Clock(_)))
        )
    }

    /// Whether trying again later can help.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Line(_)
            | Self::Quiet
            | Self::Storage(_)
            | Self::Void
            | Self::Served
            | Self::Stopping => true,
            Self::Refused(refusal) => {
                matches!(refusal, Refusal::Busy | Refusal::NotYet | Refusal::Internal)
            }
            Self::Protocol(_) | Self::NotAllowed(_) | Self::NotAdmitted(_) => false,
        }
    }
}

impl From<StoreError> for RoundError {
    fn from(error: StoreError) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<RunError> for RoundError {
    fn from(error: RunError) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<ProtocolError> for RoundError {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::Refused(refusal) => Self::Refused(refusal),
            other => Self::Protocol(other),
        }
    }
}

impl From<PeerFault> for RoundError {
    fn from(fault: PeerFault) -> Self {
        Self::Protocol(fault.into())
    }
}

impl From<LocalFault> for RoundError {
    fn from(fault: LocalFault) -> Self {
        Self::Protocol(fault.into())
    }
}

impl From<Closed> for RoundError {
    fn from(closed: Closed) -> Self {
        Self::Line(closed.to_string())
    }
}

impl From<ConnectError> for RoundError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Quiet { .. } => Self::Quiet,
            other => Self::Line(other.to_string()),
        }
    }
}

impl From<ControlError> for RoundError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Refused(refusal) => Self::Refused(refusal),
            ControlError::Malformed(error) => PeerFault::Malformed(error).into(),
            other @ (ControlError::Line(_) | ControlError::TimedOut(_)) => {
                Self::Line(other.to_string())
            }
        }
    }
}

/// A peer that cannot be reached, as the peers' module says it.
impl From<ApiError> for RoundError {
    fn from(error: ApiError) -> Self {
        Self::Line(error.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_are_apart_are_told_with_their_code_and_the_next_step_on_either_side() {
        let refused = RoundError::from(ProtocolError::Refused(Refusal::Clock)).told();
        let seen_here = RoundError::from(PeerFault::Clock(3_600)).told();
        for told in [&refused, &seen_here] {
            assert!(
                told.contains("(M-404)") && told.contains("timedatectl"),
                "{told}"
            );
        }
        assert!(seen_here.contains("3600 s apart"));
        let other = RoundError::Refused(Refusal::Quota);
        assert_eq!(other.told(), other.to_string());
    }
}
