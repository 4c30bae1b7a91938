//! Writing an export, piece by piece.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use mandorla_control::{
    ApiError, AuditExport, AuditExportEntries, AuditExportFacts, ErrorCode, ExportHeader,
    ExportedEntry,
};
use mandorla_node::BundleLine;
use sha2::{Digest as _, Sha256};

use crate::context::Context;
use crate::failure::{DONE, Done, file, internal};
use crate::when::grouped;

/// A file that is not there yet, for its owner alone.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), ApiError> {
    let mut out = create(path)?;
    out.write_all(bytes)
        .and_then(|()| out.sync_all())
        .map_err(|error| file(path, error))
}

fn create(path: &Path) -> Result<File, ApiError> {
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    opened.map_err(|error| file(path, error))
}

pub(super) async fn export(since_s: Option<u64>, path: &Path, cx: &Context) -> Done {
    let mut out = Lines {
        file: BufWriter::new(create(path)?),
        path,
        count: 0,
        digest: Sha256::new(),
    };
    let written = write(since_s, &mut out, cx).await;
    let written = written.and_then(|header| out.end().map(|()| header));
    match written {
        Ok(header) => {
            cx.out.say(&format!(
                "{} entries in {}; anybody can check it: mandorla audit verify --bundle FILE",
                grouped(header.size),
                path.display()
            ));
            DONE
        }
        Err(error) => {
            // Half an export would only be found out when it is needed.
            let _ = std::fs::remove_file(path);
            Err(error)
        }
    }
}

async fn write(
    since_s: Option<u64>,
    out: &mut Lines<'_>,
    cx: &Context,
) -> Result<ExportHeader, ApiError> {
    let header = cx.call(&AuditExport { since_s }).await?;
    out.line(&BundleLine::Header(Box::new(header.clone())))?;
    let mut from = 0;
    while from < header.size {
        let part = AuditExportEntries {
            from,
            to: header.size,
            first: header.first,
        };
        let part = cx.call(&part).await?;
        if part.entries.is_empty() {
            return Err(stuck());
        }
        let mut checkpoints = part.checkpoints.into_iter().peekable();
        for entry in part.entries {
            out.line(&match entry {
                ExportedEntry::Leaf(leaf) => BundleLine::Leaf { seq: from, leaf },
                ExportedEntry::Hash(hash) => BundleLine::Hash { seq: from, hash },
            })?;
            from += 1;
            if let Some((size, note)) = checkpoints.next_if(|(size, _)| *size == from) {
                out.line(&BundleLine::Checkpoint { size, note })?;
            }
        }
    }
    for (log, pair_log) in header.pair_logs.iter().enumerate() {
        let mut seq = 0;
        while seq < pair_log.size {
            let part = AuditExportFacts {
                peer: pair_log.peer.clone(),
                direction: pair_log.direction.clone(),
                from: seq,
                to: pair_log.size,
            };
            let part = cx.call(&part).await?;
            if part.is_empty() {
                return Err(stuck());
            }
            for leaf in part {
                out.line(&BundleLine::Fact { log, seq, leaf })?;
                seq += 1;
            }
        }
    }
    Ok(header)
}

fn stuck() -> ApiError {
    ApiError::new(
        ErrorCode::FaultFound,
        "the node has fewer entries or facts than it says",
    )
    .hint("mandorla audit verify")
}

struct Lines<'a> {
    file: BufWriter<File>,
    path: &'a Path,
    count: u64,
    digest: Sha256,
}

impl Lines<'_> {
    fn line(&mut self, line: &BundleLine) -> Result<(), ApiError> {
        let mut bytes = serde_json::to_vec(line).map_err(internal)?;
        bytes.push(b'\n');
        self.digest.update(&bytes);
        self.count += 1;
        self.file
            .write_all(&bytes)
            .map_err(|error| file(self.path, error))
    }

    fn end(&mut self) -> Result<(), ApiError> {
        let sha256 = hex::encode(self.digest.clone().finalize());
        let lines = self.count;
        self.line(&BundleLine::End { lines, sha256 })?;
        let flushed = self.file.flush();
        flushed
            .and_then(|()| self.file.get_ref().sync_all())
            .map_err(|error| file(self.path, error))
    }
}
