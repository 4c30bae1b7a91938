//! The first words on a connection: sixteen bytes each way on its first stream.
//!
//! ```text
//!  0        8       10     11        16
//!  ├────────┼───────┼──────┼─────────┤
//!  │mandorla│version│ role │ 0 0 0 0 0│   version: u16, little-endian
//!  └────────┴───────┴──────┴─────────┘   role: 1 connects, 2 accepts
//! ```

use quinn::{ConnectionError, ReadError, ReadExactError, RecvStream, SendStream, WriteError};

/// The version of everything that follows the greeting.
pub const GREETING_VERSION: u16 = 1;

const GREETING_BYTES: usize = 16;
const MAGIC: &[u8; 8] = b"mandorla";

/// Who sends the greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Connects = 1,
    Accepts = 2,
}

/// Why there was no greeting.
#[derive(Debug)]
pub(crate) enum GreetingError {
    /// The connection ended first.
    Lost(ConnectionError),
    /// Sixteen other bytes, or fewer, or more.
    Malformed,
    /// A greeting of another version.
    Version { theirs: u16 },
}

/// The connecting side: greets and waits for the reply.
pub(crate) async fn offer(connection: &quinn::Connection) -> Result<(), GreetingError> {
    let (mut send, mut recv) = connection.open_bi().await.map_err(GreetingError::Lost)?;
    say(&mut send, Role::Connects).await?;
    hear(&mut recv, Role::Accepts).await
}

/// The accepting side: waits for the greeting and replies.
pub(crate) async fn answer(connection: &quinn::Connection) -> Result<(), GreetingError> {
    let (mut send, mut recv) = connection.accept_bi().await.map_err(GreetingError::Lost)?;
    hear(&mut recv, Role::Connects).await?;
    say(&mut send, Role::Accepts).await
}

async fn say(send: &mut SendStream, role: Role) -> Result<(), GreetingError> {
    send.write_all(&encode(role))
        .await
        .map_err(|error| match error {
            WriteError::ConnectionLost(error) => GreetingError::Lost(error),
            WriteError::Stopped(_) | WriteError::ClosedStream | WriteError::ZeroRttRejected => {
                GreetingError::Malformed
            }
        })?;
    // Fails only on a stream that was finished or reset before.
    send.finish().map_err(|_| GreetingError::Malformed)
}

async fn hear(recv: &mut RecvStream, role: Role) -> Result<(), GreetingError> {
    let mut greeting = [0; GREETING_BYTES];
    recv.read_exact(&mut greeting)
        .await
        .map_err(|error| match error {
            ReadExactError::FinishedEarly(_) => GreetingError::Malformed,
            ReadExactError::ReadError(error) => lost_or_malformed(error),
        })?;
    match recv.read(&mut [0]).await {
        Ok(None) => check(&greeting, role),
        Ok(Some(_)) => Err(GreetingError::Malformed),
        Err(error) => Err(lost_or_malformed(error)),
    }
}

fn lost_or_malformed(error: ReadError) -> GreetingError {
    match error {
        ReadError::ConnectionLost(error) => GreetingError::Lost(error),
        ReadError::Reset(_)
        | ReadError::ClosedStream
        | ReadError::IllegalOrderedRead
        | ReadError::ZeroRttRejected => GreetingError::Malformed,
    }
}

fn encode(role: Role) -> [u8; GREETING_BYTES] {
    let mut greeting = [0; GREETING_BYTES];
    greeting[..8].copy_from_slice(MAGIC);
    greeting[8..10].copy_from_slice(&GREETING_VERSION.to_le_bytes());
    greeting[10] = role as u8;
    greeting
}

fn check(greeting: &[u8; GREETING_BYTES], role: Role) -> Result<(), GreetingError> {
    if &greeting[..8] != MAGIC {
        return Err(GreetingError::Malformed);
    }
    // The version comes before the rest: what follows may mean something else in another one.
    let theirs = u16::from_le_bytes([greeting[8], greeting[9]]);
    if theirs != GREETING_VERSION {
        return Err(GreetingError::Version { theirs });
    }
    if *greeting == encode(role) {
        Ok(())
    } else {
        Err(GreetingError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greeting_is_these_sixteen_bytes() {
        assert_eq!(
            &encode(Role::Connects),
            b"mandorla\x01\x00\x01\x00\x00\x00\x00\x00"
        );
        assert_eq!(
            &encode(Role::Accepts),
            b"mandorla\x01\x00\x02\x00\x00\x00\x00\x00"
        );
    }

    #[test]
    fn greeting_with_any_bit_changed_is_refused() {
        assert!(check(&encode(Role::Connects), Role::Connects).is_ok());
        for at in 0..GREETING_BYTES * 8 {
            let mut greeting = encode(Role::Connects);
            greeting[at / 8] ^= 1 << (at % 8);
            match check(&greeting, Role::Connects) {
                Err(GreetingError::Version { theirs }) => {
                    assert!((64..80).contains(&at));
                    assert_ne!(theirs, GREETING_VERSION);
                }
                Err(GreetingError::Malformed) => assert!(!(64..80).contains(&at)),
                other => panic!("bit {at}: {other:?}"),
            }
        }
    }

    #[test]
    fn greeting_reflected_to_its_sender_is_refused() {
        assert!(check(&encode(Role::Connects), Role::Accepts).is_err());
        assert!(check(&encode(Role::Accepts), Role::Connects).is_err());
    }
}
