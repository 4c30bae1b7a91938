//! Messages on a stream: a length of four bytes (u32, little-endian), then so many bytes.

use quinn::{ReadError, ReadExactError, RecvStream, SendStream, WriteError};

/// Bytes of the length before each frame.
pub const LENGTH_BYTES: usize = 4;

/// Why a frame could not be sent or received. The stream is of no use afterwards.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The frame is, or says it is, longer than the caller allows. Nothing was sent, or allocated.
    #[error("frame of {length} bytes, at most {max} allowed")]
    TooLong {
        /// Length of the frame in bytes.
        length: u64,
        /// What the caller allows in bytes.
        max: u32,
    },
    /// The stream ended within a frame.
    #[error("the stream ended after {received} of {expected} bytes of a frame")]
    Truncated {
        /// Bytes received of the part that was cut short, the length or the body.
        received: usize,
        /// Bytes of that part.
        expected: usize,
    },
    /// The stream or its connection failed while reading.
    #[error("cannot read from the stream")]
    Read(#[from] ReadError),
    /// The stream or its connection failed while writing.
    #[error("cannot write to the stream")]
    Write(#[from] WriteError),
}

/// Sends one frame of at most `max` bytes. Returns when it is in the send window, not when it has arrived.
pub async fn write_frame(send: &mut SendStream, body: &[u8], max: u32) -> Result<(), FrameError> {
    let length = match u32::try_from(body.len()) {
        Ok(length) if length <= max => length,
        _ => {
            return Err(FrameError::TooLong {
                length: body.len() as u64,
                max,
            });
        }
    };
    send.write_all(&length.to_le_bytes()).await?;
    send.write_all(body).await?;
    Ok(())
}

/// Receives one frame of at most `max` bytes; `None` if the stream ended cleanly where a frame could have begun.
///
/// At most `max` bytes are allocated, and none before the length is known to be allowed.
pub async fn read_frame(recv: &mut RecvStream, max: u32) -> Result<Option<Vec<u8>>, FrameError> {
    let mut length = [0; LENGTH_BYTES];
    match fill(recv, &mut length).await {
        Ok(()) => {}
        Err(FrameError::Truncated { received: 0, .. }) => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_le_bytes(length);
    if length > max {
        return Err(FrameError::TooLong {
            length: length.into(),
            max,
        });
    }
    let mut body = vec![0; length as usize];
    fill(recv, &mut body).await?;
    Ok(Some(body))
}

async fn fill(recv: &mut RecvStream, part: &mut [u8]) -> Result<(), FrameError> {
    let expected = part.len();
    recv.read_exact(part).await.map_err(|error| match error {
        ReadExactError::FinishedEarly(received) => FrameError::Truncated { received, expected },
        ReadExactError::ReadError(error) => error.into(),
    })
}
