//! The upload: a header frame, then the CSV file to the end of the body.
//!
//! ```text
//!  body of the request ──► pieces, a few at a time ──► UploadReader (std::io::Read) ──► CSV reader on a thread
//! ```
//! The end of the file is a piece of its own: a caller that goes away half-way must not look like a short file.

use std::io::{self, Read};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::Response;
use mandorla_control::{
    ApiError, DATASET_LOAD_PATH, DATASET_LOAD_ROLES, DatasetLoad, DatasetView, ErrorCode,
};
use tokio::sync::mpsc;

use super::load::load;
use crate::node::Node;
use crate::server::{self, SocketPeer, blocking};

/// A map file has some dozens of lines; the header holds it and a name.
const HEADER_BYTES_MAX: u32 = 256 * 1024;

/// Pieces between the socket and the reader; each is a read of the socket, at most some 400 KiB.
const PIECES_MAX: usize = 8;

/// Why an upload has no readable header.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("the upload ends within its header")]
    Truncated,
    #[error("the header says it has {0} bytes; at most {HEADER_BYTES_MAX} are read")]
    TooLong(u32),
    #[error("the header is not the JSON object of a load: {0}")]
    Json(serde_json::Error),
    #[error("the upload broke off")]
    Read(io::Error),
}

/// Reads the header frame: `u32` little-endian length, then JSON.
pub(super) fn read_header(reader: &mut impl Read) -> Result<DatasetLoad, HeaderError> {
    let mut length = [0; 4];
    fill(reader, &mut length)?;
    let length = u32::from_le_bytes(length);
    if length > HEADER_BYTES_MAX {
        return Err(HeaderError::TooLong(length));
    }
    let mut json = vec![0; length as usize];
    fill(reader, &mut json)?;
    serde_json::from_slice(&json).map_err(HeaderError::Json)
}

fn fill(reader: &mut impl Read, part: &mut [u8]) -> Result<(), HeaderError> {
    reader.read_exact(part).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => HeaderError::Truncated,
        _ => HeaderError::Read(error),
    })
}

/// `POST /v1/dataset/load`.
pub(super) async fn upload(
    State(node): State<Arc<Node>>,
    ConnectInfo(peer): ConnectInfo<SocketPeer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    server::reply(receive(node, peer, headers, body).await)
}

async fn receive(
    node: Arc<Node>,
    peer: SocketPeer,
    headers: HeaderMap,
    body: Body,
) -> Result<DatasetView, ApiError> {
    let caller =
        match server::admit(&node, peer, &headers, DATASET_LOAD_PATH, DATASET_LOAD_ROLES).await {
            Ok(caller) => caller,
            Err(refusal) => {
                server::drain(body).await;
                return Err(refusal);
            }
        };
    let (pieces, received) = mpsc::channel(PIECES_MAX);
    let loading = tokio::spawn(blocking(move || {
        let mut reader = UploadReader::new(received);
        let header = read_header(&mut reader).map_err(|error| {
            ApiError::new(ErrorCode::BadRequest, error.to_string())
                .hint("mandorla dataset load NAME FILE --map FILE")
        })?;
        load(&node, &caller, &header, reader)
    }));
    forward(body, pieces).await;
    let fault = |_| ApiError::new(ErrorCode::Internal, "the load ended in a fault of the node");
    loading.await.unwrap_or_else(|error| Err(fault(error)))
}

/// Hands the body on piece by piece. If the load has ended by then, the rest is thrown away, so that the caller comes to
/// reading why.
async fn forward(mut body: Body, pieces: mpsc::Sender<Piece>) {
    loop {
        let piece = match server::next_piece(&mut body).await {
            Ok(Some(bytes)) => Piece::Data(bytes),
            Ok(None) => Piece::End,
            Err(_) => return, // the reader sees that no end came
        };
        let is_end = matches!(piece, Piece::End);
        let taken = pieces.send(piece).await.is_ok();
        if is_end {
            return;
        }
        if !taken {
            return server::drain(body).await;
        }
    }
}

/// A part of the body.
pub(super) enum Piece {
    Data(Bytes),
    End,
}

/// The body as a reader, on a thread that may block.
pub(super) struct UploadReader {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

impl UploadReader {
    pub(super) fn new(pieces: mpsc::Receiver<Piece>) -> Self {
        Self {
            pieces,
            current: Bytes::new(),
            ended: false,
        }
    }
}

impl Read for UploadReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Data(bytes)) => self.current = bytes,
                Some(Piece::End) => self.ended = true,
                None => {
                    let message = "the upload broke off before its end";
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, message));
                }
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(json: &str) -> Vec<u8> {
        let mut bytes = u32::try_from(json.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend_from_slice(json.as_bytes());
        bytes
    }

    const HEADER: &str = r#"{"name":"watchlist","map":"[columns]\nref = \"id\"","dry_run":true}"#;

    #[test]
    fn the_header_is_read_and_nothing_behind_it() {
        let mut bytes = framed(HEADER);
        bytes.extend_from_slice(b"id\n1\n");
        let mut rest = bytes.as_slice();
        let header = read_header(&mut rest).unwrap();
        assert_eq!(header.name, "watchlist");
        assert!(header.dry_run);
        assert_eq!(rest, b"id\n1\n");
    }

    #[test]
    fn every_cut_of_the_header_is_refused() {
        let bytes = framed(HEADER);
        for length in 0..bytes.len() {
            let cut = read_header(&mut &bytes[..length]);
            assert!(
                matches!(cut, Err(HeaderError::Truncated)),
                "cut at {length}"
            );
        }
    }

    #[test]
    fn an_oversize_header_is_refused_before_it_is_read() {
        let length = HEADER_BYTES_MAX + 1;
        let refused = read_header(&mut length.to_le_bytes().as_slice());
        assert!(matches!(refused, Err(HeaderError::TooLong(found)) if found == length));
        assert!(matches!(
            read_header(&mut framed("[]").as_slice()),
            Err(HeaderError::Json(_))
        ));
    }

    #[test]
    fn a_body_that_breaks_off_is_an_error_and_not_an_end() {
        let (sender, receiver) = mpsc::channel(4);
        sender
            .try_send(Piece::Data(Bytes::from_static(b"id\n1")))
            .ok()
            .unwrap();
        drop(sender);
        let mut text = String::new();
        let broken = UploadReader::new(receiver)
            .read_to_string(&mut text)
            .unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::ConnectionAborted);
    }

    #[test]
    fn a_whole_body_is_read_as_it_was_sent_whatever_its_pieces() {
        let (sender, receiver) = mpsc::channel(8);
        for piece in ["i", "", "d\n", "12\n3"] {
            sender
                .try_send(Piece::Data(Bytes::from_static(piece.as_bytes())))
                .ok()
                .unwrap();
        }
        sender.try_send(Piece::End).ok().unwrap();
        let mut text = String::new();
        UploadReader::new(receiver)
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "id\n12\n3");
    }
}
