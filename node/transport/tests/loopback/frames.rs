//! Frames over a real stream.

use mandorla_transport::frame::{FrameError, read_frame, write_frame};
use mandorla_transport::{RecvStream, SendStream};

use crate::world::{Node, connected};

/// A stream, and what keeps it alive.
async fn stream() -> (SendStream, RecvStream, impl Sized) {
    let (a, b, at_a, at_b): (Node, Node, _, _) = connected().await;
    let mut send = at_a.open_uni().await.unwrap();
    // A stream shows itself with its first byte; this one is not part of the test.
    send.write_all(b"!").await.unwrap();
    let mut recv = at_b.accept_uni().await.unwrap();
    recv.read_exact(&mut [0]).await.unwrap();
    (send, recv, (a, b, at_a, at_b))
}

#[tokio::test]
async fn frames_arrive_whole_in_order_and_end_cleanly() {
    let (mut send, mut recv, _alive) = stream().await;
    let frames: [&[u8]; 3] = [b"first", b"", &[7; 100]];
    for frame in frames {
        write_frame(&mut send, frame, 100).await.unwrap();
    }
    send.finish().unwrap();
    for frame in frames {
        assert_eq!(read_frame(&mut recv, 100).await.unwrap().unwrap(), frame);
    }
    assert!(read_frame(&mut recv, 100).await.unwrap().is_none());
}

#[tokio::test]
async fn a_frame_is_its_length_little_endian_and_its_bytes() {
    let (mut send, mut recv, _alive) = stream().await;
    write_frame(&mut send, &[9; 258], 258).await.unwrap();
    send.finish().unwrap();
    let bytes = recv.read_to_end(1_000).await.unwrap();
    assert_eq!(bytes[..4], [2, 1, 0, 0]);
    assert_eq!(bytes[4..], [9; 258]);
}

#[tokio::test]
async fn a_frame_over_the_limit_is_not_sent() {
    let (mut send, mut recv, _alive) = stream().await;
    let error = write_frame(&mut send, &[0; 101], 100).await.unwrap_err();
    assert!(
        matches!(
            error,
            FrameError::TooLong {
                length: 101,
                max: 100
            }
        ),
        "{error:?}"
    );
    send.finish().unwrap();
    assert!(recv.read_to_end(1_000).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_frame_over_the_limit_is_refused_at_its_length() {
    let (mut send, mut recv, _alive) = stream().await;
    // No body ever follows: the refusal cannot have waited for one.
    send.write_all(&u32::MAX.to_le_bytes()).await.unwrap();
    let error = read_frame(&mut recv, 100).await.unwrap_err();
    assert!(
        matches!(
            error,
            FrameError::TooLong {
                length: 0xffff_ffff,
                max: 100
            }
        ),
        "{error:?}"
    );

    let (mut send, mut recv, _alive) = stream().await;
    send.write_all(&101u32.to_le_bytes()).await.unwrap();
    let error = read_frame(&mut recv, 100).await.unwrap_err();
    assert!(
        matches!(
            error,
            FrameError::TooLong {
                length: 101,
                max: 100
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_stream_that_ends_within_a_frame_is_no_clean_end() {
    let cases: [(&[u8], usize, usize); 4] = [
        (&[5], 1, 4),
        (&[5, 0, 0], 3, 4),
        (&[5, 0, 0, 0], 0, 5),
        (&[5, 0, 0, 0, 1, 2], 2, 5),
    ];
    for (bytes, got, wanted) in cases {
        let (mut send, mut recv, _alive) = stream().await;
        send.write_all(bytes).await.unwrap();
        send.finish().unwrap();
        match read_frame(&mut recv, 100).await {
            Err(FrameError::Truncated { received, expected }) => {
                assert_eq!((received, expected), (got, wanted));
            }
            other => panic!("{bytes:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_reset_stream_is_an_error_and_no_clean_end() {
    let (mut send, mut recv, _alive) = stream().await;
    send.reset(7u32.into()).unwrap();
    assert!(matches!(
        read_frame(&mut recv, 100).await,
        Err(FrameError::Read(_))
    ));
}
