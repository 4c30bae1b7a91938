//! Streams a file to the node: memory does not grow with the file.

use std::path::Path;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use hyper::body::{Body, Bytes, Frame};
use indicatif::{ProgressBar, ProgressStyle};
use mandorla_control::{
    ApiError, Client, ClientError, DATASET_LOAD_PATH, DatasetLoad, DatasetView,
};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;

use crate::context::Context;
use crate::failure::{call_failed, file, internal};

/// Size of a block read from the file: large enough that system calls do not count, small beside any memory.
const BLOCK_BYTES: usize = 64 * 1024;
/// Blocks that wait between the file and the socket.
const BLOCKS_WAITING: usize = 4;

/// Loads a file and shows how far it is on a terminal.
pub(super) async fn load(
    load: &DatasetLoad,
    path: &Path,
    cx: &Context,
) -> Result<DatasetView, ApiError> {
    let open = tokio::fs::File::open(path).await;
    let source = open.map_err(|error| file(path, error))?;
    let metadata = source.metadata().await.map_err(|error| file(path, error))?;
    if metadata.is_dir() {
        return Err(file(path, "is a directory, not a CSV file"));
    }
    let length = metadata.len();
    let bar = if cx.out.draws() {
        let style = ProgressStyle::with_template(
            "load  {bytes} / {total_bytes}  {bytes_per_sec}  {eta} left",
        )
        .map_err(internal)?;
        ProgressBar::new(length).with_style(style)
    } else {
        ProgressBar::hidden()
    };
    let counted = bar.wrap_async_read(source);
    let reply = send(&cx.client()?, load, counted).await;
    bar.finish_and_clear();
    reply.map_err(|error| call_failed(error, &cx.start_command()))
}

/// Loads a list that is in memory.
pub(crate) async fn send_text(
    client: &Client,
    load: &DatasetLoad,
    csv: &str,
) -> Result<DatasetView, ClientError> {
    send(client, load, std::io::Cursor::new(csv.as_bytes().to_vec())).await
}

async fn send(
    client: &Client,
    load: &DatasetLoad,
    source: impl AsyncRead + Send + Unpin + 'static,
) -> Result<DatasetView, ClientError> {
    let head = serde_json::to_vec(load).map_err(|error| ClientError::Broken(error.to_string()))?;
    let length = u32::try_from(head.len())
        .map_err(|_| ClientError::Broken("the map file is too large".to_owned()))?;
    let first = [&length.to_le_bytes()[..], &head].concat();
    let (sender, receiver) = mpsc::channel(BLOCKS_WAITING);
    let pump = tokio::spawn(pump(first, source, sender));
    let reply = client.post(DATASET_LOAD_PATH, Blocks { receiver }).await;
    pump.abort();
    reply
}

async fn pump(
    first: Vec<u8>,
    mut source: impl AsyncRead + Unpin,
    sender: mpsc::Sender<std::io::Result<Bytes>>,
) {
    let mut next = Ok(Bytes::from(first));
    loop {
        let ended = next.is_err();
        if sender.send(next).await.is_err() || ended {
            return; // the node answered without reading on, or the file failed
        }
        let mut block = vec![0; BLOCK_BYTES];
        next = match source.read(&mut block).await {
            Ok(0) => return,
            Ok(count) => {
                block.truncate(count);
                Ok(Bytes::from(block))
            }
            Err(error) => Err(error),
        };
    }
}

/// A body made of the blocks that come through a channel.
struct Blocks {
    receiver: mpsc::Receiver<std::io::Result<Bytes>>,
}

impl Body for Blocks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.receiver
            .poll_recv(cx)
            .map(|block: Option<std::io::Result<Bytes>>| block.map(|block| block.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pumped(source: impl AsyncRead + Unpin) -> Vec<u8> {
        let (sender, mut receiver) = mpsc::channel::<std::io::Result<Bytes>>(BLOCKS_WAITING);
        let receive = async {
            let mut all = Vec::new();
            while let Some(block) = receiver.recv().await {
                all.extend_from_slice(&block.unwrap());
            }
            all
        };
        tokio::join!(pump(b"head".to_vec(), source, sender), receive).1
    }

    #[tokio::test]
    async fn the_head_comes_first_and_every_byte_follows() {
        let file: Vec<u8> = (0..3 * BLOCK_BYTES + 7).map(|index| index as u8).collect();
        let sent = pumped(std::io::Cursor::new(file.clone())).await;
        assert_eq!(&sent[..4], b"head");
        assert_eq!(&sent[4..], file);
        assert_eq!(pumped(std::io::Cursor::new(Vec::new())).await, b"head");
    }
}
