//! The control stream of a connection: protocol messages in frames of bounded size.

use std::time::Duration;

use mandorla_protocol::{CONTROL_BYTES_MAX, CodecError, Message, Refusal};
use mandorla_transport::frame::{FrameError, read_frame, write_frame};
use mandorla_transport::{Closed, Connection, RecvStream, SendStream};
use tokio::time::timeout;

/// A message that is due comes within this time: it takes the peer no more than a transaction.
pub(crate) const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

const FRAME_BYTES_MAX: u32 = CONTROL_BYTES_MAX as u32;

/// Both directions of the control stream.
pub(crate) struct ControlStream {
    send: SendStream,
    receive: RecvStream,
}

/// Why a message could not be sent or received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// The connection or the stream is gone.
    #[error("the line broke: {0}")]
    Line(String),
    /// No message in time.
    #[error("no message within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// What came is not a message.
    #[error(transparent)]
    Malformed(CodecError),
    /// The peer said no.
    #[error("the peer refused: {0}")]
    Refused(Refusal),
}

impl From<Closed> for ControlError {
    fn from(closed: Closed) -> Self {
        Self::Line(closed.to_string())
    }
}

impl From<FrameError> for ControlError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLong { length, .. } => Self::Malformed(CodecError::TooLong(
                usize::try_from(length).unwrap_or(usize::MAX),
            )),
            other => Self::Line(other.to_string()),
        }
    }
}

impl ControlStream {
    /// Opens the control stream, on the side that connected.
    pub(crate) async fn open(connection: &Connection) -> Result<Self, ControlError> {
        let (send, receive) = connection.open_bi().await?;
        Ok(Self { send, receive })
    }

    /// Takes the control stream, on the side that was connected to.
    pub(crate) async fn accept(connection: &Connection) -> Result<Self, ControlError> {
        let streams = timeout(REPLY_TIMEOUT, connection.accept_bi()).await;
        let (send, receive) = streams.map_err(|_| ControlError::TimedOut(REPLY_TIMEOUT))??;
        Ok(Self { send, receive })
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: &Message) -> Result<(), ControlError> {
        Ok(write_frame(&mut self.send, &message.to_bytes(), FRAME_BYTES_MAX).await?)
    }

    /// Receives the next message. A refusal is an error, since no state goes on after it.
    pub(crate) async fn receive(&mut self, within: Duration) -> Result<Message, ControlError> {
        let frame = timeout(within, read_frame(&mut self.receive, FRAME_BYTES_MAX))
            .await
            .map_err(|_| ControlError::TimedOut(within))??
            .ok_or_else(|| ControlError::Line("the peer ended the stream".to_owned()))?;
        match Message::from_bytes(&frame).map_err(ControlError::Malformed)? {
            Message::Refuse { code } => Err(ControlError::Refused(Refusal::from_code(code))),
            message => Ok(message),
        }
    }

    /// Raw bytes behind a message, as an answer.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), ControlError> {
        self.send
            .write_all(bytes)
            .await
            .map_err(|error| ControlError::Line(error.to_string()))
    }

    /// Receives exactly so many raw bytes; the caller has bounded the number.
    pub(crate) async fn receive_raw(
        &mut self,
        bytes: usize,
        within: Duration,
    ) -> Result<Vec<u8>, ControlError> {
        let mut buffer = vec![0; bytes];
        timeout(within, self.receive.read_exact(&mut buffer))
            .await
            .map_err(|_| ControlError::TimedOut(within))?
            .map_err(|error| ControlError::Line(error.to_string()))?;
        Ok(buffer)
    }

    /// Sends a refusal, the last message, and waits until the peer has it: closing the connection at once would throw
    /// it away, and the peer would try again for ever.
    pub(crate) async fn refuse(&mut self, refusal: Refusal) {
        let code = refusal.code();
        if self.send(&Message::Refuse { code }).await.is_ok() {
            self.finish().await;
        }
    }

    /// Ends the sending direction and waits until the peer has everything, or is gone.
    pub(crate) async fn finish(&mut self) {
        if self.send.finish().is_ok() {
            let _ = timeout(REPLY_TIMEOUT, self.send.stopped()).await;
        }
    }
}
