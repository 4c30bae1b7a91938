//! `backup create`: one moment of the running node, encrypted, as a stream to the caller.
//!
//! ```text
//!  read transaction ─► items ─► chunks, sealed ─► frames, a few at a time ─► socket ─► the caller's file
//! ```
//! The entry `backup.started` is in the ledger before the first byte leaves, so that no copy goes unrecorded;
//! `backup.created` follows the last.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use mandorla_control::{
    ApiError, BACKUP_CREATE_PATH, BACKUP_CREATE_ROLES, BackupCreate, BackupFrame, BackupView,
    ErrorBody, ErrorCode,
};
use mandorla_store::{LedgerCheck, LedgerVerifier, StoreError};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::check::{PairLogs, parts};
use super::content::{self, CONTENTS, Content, FILES, Snapshot, Treatment};
use super::error::BackupError;
use super::format::{End, Item, ItemWriter, Manifest};
use super::stream::SealedWriter;
use crate::events::Event;
use crate::node::{Caller, Node};
use crate::pseudonym::PSEUDONYM_KEY_NAME;
use crate::records::SCHEMA;
use crate::records::round::ROUNDS;
use crate::rounds::os_rng;
use crate::seal::Seal;
use crate::server::{self, SocketPeer};

/// Frames between the store and the socket.
const FRAMES_MAX: usize = 4;
/// A caller that takes nothing for so long is gone; meanwhile the database keeps what it would give up.
const STALLED_MAX: Duration = Duration::from_mins(2);

/// `POST /v1/backup/create`.
pub(super) async fn create(
    State(node): State<Arc<Node>>,
    ConnectInfo(peer): ConnectInfo<SocketPeer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match begin(node, peer, headers, body).await {
        Err(error) => server::reply::<()>(Err(error)),
        Ok(frames) => {
            let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
            (kind, Body::new(Frames(frames))).into_response()
        }
    }
}

async fn begin(
    node: Arc<Node>,
    peer: SocketPeer,
    headers: HeaderMap,
    body: Body,
) -> Result<mpsc::Receiver<Bytes>, ApiError> {
    let body = Zeroizing::new(server::read(body).await?);
    let caller = server::admit(
        &node,
        peer,
        &headers,
        BACKUP_CREATE_PATH,
        BACKUP_CREATE_ROLES,
    )
    .await?;
    let BackupCreate { passphrase } = serde_json::from_slice(&body).map_err(|_| {
        // The parser's own words could quote the passphrase.
        let message = format!("the request is not a {BACKUP_CREATE_PATH} call");
        ApiError::new(ErrorCode::BadRequest, message)
            .hint("mandorla version: the command line and the node must be of the same version")
    })?;
    let seal = Seal::passphrase(passphrase.into_text())
        .map_err(|error| ApiError::new(error.code(), error.to_string()).hint(error.hint()))?;
    let (sender, frames) = mpsc::channel(FRAMES_MAX);
    tokio::task::spawn_blocking(move || {
        let mut out = FrameWriter::new(sender);
        let last = match write(&node, &caller, &seal, &mut out) {
            Ok(view) => (BackupFrame::Whole, serde_json::to_vec(&view)),
            Err(error) => {
                tracing::warn!(%error, "a backup was not finished");
                let body = ErrorBody::from(ApiError::from(error));
                (BackupFrame::Failed, serde_json::to_vec(&body))
            }
        };
        if let (kind, Ok(json)) = last {
            // A caller that went away has no file that counts.
            let _ = out.frame(kind, &json);
        }
    });
    Ok(frames)
}

/// Writes a whole backup.
pub(super) fn write(
    node: &Node,
    caller: &Caller,
    seal: &Seal,
    out: &mut impl Output,
) -> Result<BackupView, BackupError> {
    let started = node
        .event_by(Event::BackupStarted, caller, BACKUP_CREATE_ROLES[0])
        .detail("left_out", left_out_words());
    node.store
        .write::<_, StoreError>(|tx| tx.append_ledger(started).map(|_| ()))?;
    let at = snapshot(node)?;
    let manifest = manifest(node, &at)?;
    let sealed = SealedWriter::begin(&mut *out, seal, &mut os_rng())?;
    let mut items = ItemWriter::new(sealed);
    items.write(&Item::Manifest(manifest.clone()))?;
    write_files(node, &mut items)?;
    write_ledger(node, &at, &mut items)?;
    let mut rows = BTreeMap::new();
    let mut pairs = PairLogs::new(node.identity.signing_keys());
    for content in CONTENTS {
        let count = write_table(&at, content, &mut items, &mut pairs)?;
        rows.insert(content.table.name().to_owned(), count);
    }
    let contents = parts(&rows);
    items.write(&Item::End(End { rows }))?;
    items.finish()?;

    let (bytes, digest) = out.written();
    let view = BackupView {
        schema: 1,
        node: manifest.node,
        created_at: manifest.created_at,
        program: manifest.program,
        signing_key: manifest.signing_key,
        ledger_entries: manifest.ledger_entries,
        ledger_root: manifest.ledger_root,
        contents,
        pair_logs: pairs.finish()?,
        open_rounds: manifest.open_rounds,
        left_out: manifest.left_out,
        bytes,
        file_digest: hex::encode(digest),
    };
    let created = node
        .event_by(Event::BackupCreated, caller, BACKUP_CREATE_ROLES[0])
        .detail("ledger_entries", view.ledger_entries)
        .detail("ledger_root", view.ledger_root.clone())
        .detail("open_rounds", view.open_rounds)
        .detail("bytes", view.bytes)
        .detail("file_digest", view.file_digest.clone())
        .detail("left_out", left_out_words());
    node.store
        .write::<_, StoreError>(|tx| tx.append_ledger(created).map(|_| ()))?;
    Ok(view)
}

fn left_out_words() -> Vec<String> {
    content::gaps().into_iter().map(|gap| gap.what).collect()
}

/// One moment of the store; a table that nobody has decided about is an error.
fn snapshot(node: &Node) -> Result<Snapshot, BackupError> {
    let tx = node.store.read()?;
    let names = tx.table_names()?;
    if let Some(table) = names.into_iter().find(|name| !content::is_known(name)) {
        return Err(BackupError::UnknownTable { table });
    }
    let rounds = tx.scan_all(ROUNDS)?.into_iter();
    let open: HashSet<String> = rounds
        .filter(|(_, round)| !round.state.is_over())
        .map(|(id, _)| id)
        .collect();
    Ok(Snapshot { tx, open })
}

fn manifest(node: &Node, at: &Snapshot) -> Result<Manifest, BackupError> {
    let ledger = at.tx.ledger()?;
    Ok(Manifest {
        node: node.code().to_owned(),
        created_at: node.clock.now_s(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        store_schema: SCHEMA,
        signing_key: node.identity.node_key().to_string(),
        transport_key: node.identity.transport_key().to_string(),
        release_key: hex::encode(node.identity.release_key()),
        retired_signing_keys: node.identity.signing_keys()[1..]
            .iter()
            .map(ToString::to_string)
            .collect(),
        ledger_entries: ledger.size(),
        ledger_root: hex::encode(ledger.root()),
        open_rounds: at.open.len() as u64,
        left_out: content::gaps(),
    })
}

fn write_files<W: Write>(node: &Node, items: &mut ItemWriter<W>) -> Result<(), BackupError> {
    for name in FILES {
        // Not as it is sealed on this disk: whoever restores has the secret of the keys, which may be another by then.
        let content = if *name == PSEUDONYM_KEY_NAME {
            node.pseudonyms.to_backup()
        } else {
            let path = node.data_dir.join(name);
            let content = std::fs::read(&path).map(Zeroizing::new);
            content.map_err(|source| BackupError::Io { path, source })?
        };
        items.write(&Item::File(name, &content))?;
    }
    Ok(())
}

/// The ledger, checked on the way: a backup of one that is not intact would not verify.
fn write_ledger<W: Write>(
    node: &Node,
    at: &Snapshot,
    items: &mut ItemWriter<W>,
) -> Result<(), BackupError> {
    let ledger = at.tx.ledger()?;
    let mut check = LedgerCheck::new(LedgerVerifier {
        node_name: node.code().to_owned(),
        keys: std::iter::once(node.identity.ledger_key().verifying_key())
            .chain(node.identity.earlier_ledger_keys())
            .collect(),
    });
    for seq in 0..ledger.size() {
        let leaf = ledger.leaf_bytes(seq)?;
        check.entry(&leaf)?;
        items.write(&Item::LedgerEntry(&leaf))?;
        if let Some(note) = ledger.checkpoint_at(seq + 1)? {
            check.checkpoint(&note)?;
            items.write(&Item::LedgerCheckpoint(&note))?;
        }
    }
    check.finish()?;
    Ok(())
}

fn write_table<W: Write>(
    at: &Snapshot,
    content: &Content,
    items: &mut ItemWriter<W>,
    pairs: &mut PairLogs,
) -> Result<u64, BackupError> {
    let table = content.table;
    items.write(&Item::Table(table.name()))?;
    let mut count = 0;
    at.tx.export::<BackupError>(table, |key, value| {
        let kept = match content.treatment {
            Treatment::Whole => None,
            Treatment::Filtered(filter) => match filter(at, &key, value)? {
                Some(kept) => Some(Zeroizing::new(kept)),
                None => return Ok(()),
            },
        };
        let value = kept.as_deref().map_or(value, Vec::as_slice);
        pairs.row(table, &key, value)?;
        count += 1;
        items.write(&Item::Row(key, value))
    })?;
    Ok(count)
}

/// Where the bytes of the file go.
pub(super) trait Output: Write {
    /// How many were written so far, and their SHA-256.
    fn written(&self) -> (u64, [u8; 32]);
}

/// Sends what is written as frames, waiting for the caller to take them.
struct FrameWriter {
    frames: mpsc::Sender<Bytes>,
    runtime: Handle,
    digest: Sha256,
    bytes: u64,
}

impl FrameWriter {
    fn new(frames: mpsc::Sender<Bytes>) -> Self {
        Self {
            frames,
            runtime: Handle::current(),
            digest: Sha256::new(),
            bytes: 0,
        }
    }

    fn frame(&self, kind: BackupFrame, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let frame = [&kind.head(length)[..], bytes].concat();
        let sent = self.runtime.block_on(async {
            let send = self.frames.send(Bytes::from(frame));
            tokio::time::timeout(STALLED_MAX, send).await
        });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the caller went away",
            )),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the caller takes nothing any more",
            )),
        }
    }
}

impl Write for FrameWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame(BackupFrame::Data, bytes)?;
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for FrameWriter {
    fn written(&self) -> (u64, [u8; 32]) {
        (self.bytes, self.digest.clone().finalize().into())
    }
}

/// The body of the reply.
struct Frames(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0
            .poll_recv(cx)
            .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
