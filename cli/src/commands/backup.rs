//! `mandorla backup …`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hyper::body::{Body as _, Bytes, Incoming};
use mandorla_control::{
    ApiError, BACKUP_CREATE_PATH, BACKUP_FRAME_BYTES_MAX, BackupCreate, BackupFrame,
    BackupRestored, BackupView, ClientError, ErrorBody, ErrorCode, Passphrase,
};
use mandorla_node::{BackupError, Clock, Seal, restore_backup, seal_of_copy, verify_backup};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use crate::commands::fields::{bullets, yes_no};
use crate::context::Context;
use crate::failure::{DONE, Done, call_failed, internal};
use crate::secret::{SecretArgs, explained};
use crate::table::{Table, pairs};
use crate::when::{bytes, grouped, when};

/// `mandorla backup …`
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Write an encrypted copy of the running node's data; its keys are not in it
    Create(FileArgs),
    /// Check a backup without a node: every byte, the ledger and the pair logs
    Verify(FileArgs),
    /// Make a node from a backup and its keys, in an empty data directory
    Restore(RestoreArgs),
}

/// A backup and what opens it.
#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// File with the backup's passphrase in its first line; asked for if not given
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// `mandorla backup restore`
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    backup: FileArgs,
    /// The copy of the node's keys.toml, which is kept apart from backups
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// File with the passphrase of the keys, where they are sealed under one; asked for if not given
    #[arg(long, value_name = "FILE")]
    keys_passphrase_file: Option<PathBuf>,
    /// File with the wrapping key of the keys, where they are sealed under one
    #[arg(long, value_name = "FILE")]
    keys_wrapping_key: Option<PathBuf>,
}

impl FileArgs {
    /// What opens a backup.
    fn seal(&self, cx: &Context) -> Result<Seal, ApiError> {
        let passphrase = cx.passphrase(self.passphrase_file.as_deref(), false)?;
        Seal::passphrase(passphrase).map_err(explained)
    }
}

pub(crate) async fn run(command: BackupCommand, cx: &Context) -> Done {
    match command {
        BackupCommand::Create(args) => create(&args, cx).await,
        BackupCommand::Verify(args) => {
            let seal = args.seal(cx)?;
            let view = offline(move || verify_backup(&args.file, &seal)).await?;
            cx.out.object(&view, |view| view_text("verified", view))?;
            DONE
        }
        BackupCommand::Restore(args) => restore(args, cx).await,
    }
}

/// Work on files that a node has no part in.
async fn offline<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(internal)?;
    done.map_err(ApiError::from)
}

async fn create(args: &FileArgs, cx: &Context) -> Done {
    if args.file.symlink_metadata().is_ok() {
        return Err(exists(&args.file));
    }
    let passphrase = cx.passphrase(args.passphrase_file.as_deref(), true)?;
    let passphrase = Passphrase::new(passphrase);
    // The file is begun before anything leaves the node: a place that cannot be written is found first.
    let (temporary, mut out) = begin(&args.file)?;
    let body = serde_json::to_vec(&BackupCreate { passphrase }).map_err(internal)?;
    let body = http_body_util::Full::new(Bytes::from(body));
    let started = cx.client()?.stream(BACKUP_CREATE_PATH, body).await;
    let stream = started.map_err(|error| call_failed(error, &cx.start_command()))?;
    let view = receive(stream, &mut out, &args.file).await?;
    keep(temporary, out, &args.file).await?;
    cx.out.object(&view, |view| view_text("created", view))?;
    cx.out
        .say("its keys are not in it: keep a copy of keys.toml apart from it, and the passphrase apart from both");
    cx.out.say(&format!(
        "next: mandorla backup verify {}",
        args.file.display()
    ));
    DONE
}

fn exists(path: &Path) -> ApiError {
    ApiError::new(
        ErrorCode::Exists,
        format!("{} is there already; no backup is replaced", path.display()),
    )
    .hint("name another file")
}

/// Why the file cannot be written.
fn not_written(path: &Path, error: impl std::fmt::Display) -> ApiError {
    ApiError::new(
        ErrorCode::Storage,
        format!("{} cannot be written: {error}", path.display()),
    )
    .hint("make room, or name a file elsewhere, and run the command again: nothing was kept")
}

/// A file of another name beside the one that is wanted: it goes if it does not become that.
fn begin(path: &Path) -> Result<(NamedTempFile, tokio::fs::File), ApiError> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let temporary = tempfile::Builder::new()
        .prefix(".mandorla-backup-")
        .tempfile_in(parent.unwrap_or(Path::new(".")))
        .map_err(|error| not_written(path, error))?;
    let out = temporary
        .reopen()
        .map_err(|error| not_written(path, error))?;
    Ok((temporary, tokio::fs::File::from_std(out)))
}

/// Makes the file durable under its name.
async fn keep(
    temporary: NamedTempFile,
    mut out: tokio::fs::File,
    path: &Path,
) -> Result<(), ApiError> {
    let synced = async {
        out.flush().await?;
        out.sync_all().await
    };
    synced.await.map_err(|error| not_written(path, error))?;
    let kept = temporary.persist_noclobber(path);
    kept.map_err(|failed| match failed.error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => not_written(path, failed.error),
    })?;
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = std::fs::File::open(parent.unwrap_or(Path::new(".")));
    parent
        .and_then(|parent| parent.sync_all())
        .map_err(|error| not_written(path, error))
}

/// Takes the frames of a backup; gives what the node says of the whole file.
async fn receive(
    mut stream: Incoming,
    out: &mut tokio::fs::File,
    path: &Path,
) -> Result<BackupView, ApiError> {
    let broken = |why: &str| internal(ClientError::Broken(why.to_owned()));
    let mut frames = Frames::default();
    loop {
        while let Some((kind, frame)) = frames.next().map_err(broken)? {
            match kind {
                BackupFrame::Data => {
                    let written = out.write_all(&frame).await;
                    written.map_err(|error| not_written(path, error))?;
                }
                BackupFrame::Whole => return serde_json::from_slice(&frame).map_err(internal),
                BackupFrame::Failed => {
                    let body: ErrorBody = serde_json::from_slice(&frame).map_err(internal)?;
                    return Err(body.into());
                }
            }
        }
        let polled = std::future::poll_fn(|cx| std::pin::Pin::new(&mut stream).poll_frame(cx));
        match polled.await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    frames.pending.extend_from_slice(&data);
                }
            }
            Some(Err(error)) => return Err(broken(&error.to_string())),
            None => {
                return Err(broken("the backup broke off; nothing was kept")
                    .hint("look at the node's messages, and run the command again"));
            }
        }
    }
}

/// Frames as they come together.
#[derive(Default)]
struct Frames {
    pending: Vec<u8>,
}

impl Frames {
    fn next(&mut self) -> Result<Option<(BackupFrame, Vec<u8>)>, &'static str> {
        let Some((head, rest)) = self.pending.split_first_chunk::<5>() else {
            return Ok(None);
        };
        let [kind, length @ ..] = *head;
        let kind = BackupFrame::from_byte(kind).ok_or("a frame of an unknown kind")?;
        let length = u32::from_le_bytes(length);
        if length > BACKUP_FRAME_BYTES_MAX {
            return Err("a frame is too long");
        }
        let length = length as usize;
        if rest.len() < length {
            return Ok(None);
        }
        let frame = rest[..length].to_vec();
        self.pending.drain(..5 + length);
        Ok(Some((kind, frame)))
    }
}

async fn restore(args: RestoreArgs, cx: &Context) -> Done {
    let seal = args.backup.seal(cx)?;
    let kind = seal_of_copy(&args.keys)
        .map_err(|error| ApiError::new(error.code(), error.to_string()).hint(error.hint()))?;
    let secret = SecretArgs::of_files(args.keys_passphrase_file, args.keys_wrapping_key);
    let keys_seal = kind.map(|kind| secret.to_open(kind, cx)).transpose();
    let keys_seal = keys_seal.map_err(|error| match error.code {
        ErrorCode::SecretNeeded => {
            error.hint("give it with --keys-passphrase-file FILE or --keys-wrapping-key FILE")
        }
        _ => error,
    })?;
    let data_dir = cx.places()?.data_dir;
    let (file, keys) = (args.backup.file, args.keys);
    let restored = offline(move || {
        let clock = Clock::System;
        restore_backup(&file, &seal, &keys, keys_seal.as_ref(), &data_dir, &clock)
    })
    .await?;
    cx.out.object(&restored, restored_text)?;
    cx.out.say(
        "before it runs: no other copy of this node may run; compare the ledger root with the last checkpoint kept elsewhere",
    );
    cx.out.say(
        "suspend again what was suspended since the backup, and take out of node.toml whoever has left since",
    );
    cx.out.say(&format!("next: {}", cx.start_command()));
    for peer in &restored.reconcile {
        cx.out.say(&format!(
            "then: {}; until then no round with {peer} begins",
            cx.command(&format!("audit reconcile --with {peer}"))
        ));
    }
    DONE
}

fn restored_text(restored: &BackupRestored) -> String {
    let list = |items: &[String]| match items {
        [] => "none".to_owned(),
        items => items.join(", "),
    };
    view_text("restored from", &restored.backup)
        + "\n"
        + &pairs(&[
            ("data directory", restored.data_dir.clone()),
            ("rounds ended", list(&restored.rounds_ended)),
            (
                "quotas",
                format!(
                    "every period that reaches back to {} counts as used up",
                    when(restored.spent_until)
                ),
            ),
            ("pair logs to reconcile", list(&restored.reconcile)),
        ])
}

fn view_text(verb: &str, view: &BackupView) -> String {
    let mut contents = Table::new(&["CONTENT", "ROWS"]);
    for part in &view.contents {
        contents.row([part.what.clone(), grouped(part.rows)]);
    }
    let mut logs = Table::new(&["PAIR LOG", "DIRECTION", "FACTS", "COUNTERSIGNED"]);
    for log in &view.pair_logs {
        logs.row([
            log.peer.clone(),
            log.direction.clone(),
            grouped(log.facts),
            yes_no(log.countersigned),
        ]);
    }
    let left_out: Vec<String> = view
        .left_out
        .iter()
        .map(|gap| format!("{}: {}", gap.what, gap.why))
        .collect();
    pairs(&[
        (
            verb,
            format!("backup of node {}, {}", view.node, when(view.created_at)),
        ),
        ("size", bytes(view.bytes)),
        ("digest", view.file_digest.clone()),
        ("program", view.program.clone()),
        ("signing key", view.signing_key.clone()),
        (
            "ledger",
            format!("{} entries", grouped(view.ledger_entries)),
        ),
        ("root", view.ledger_root.clone()),
        ("open rounds", grouped(view.open_rounds)),
    ]) + "\n"
        + &contents.text_or("nothing but the ledger")
        + "\n"
        + &logs.text_or("no pair logs yet")
        + &bullets("not in it", &left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_whole_however_they_come() {
        let mut sent = Vec::new();
        for (kind, bytes) in [
            (BackupFrame::Data, &b"first"[..]),
            (BackupFrame::Data, b""),
            (BackupFrame::Whole, b"{}"),
        ] {
            sent.extend_from_slice(&kind.head(u32::try_from(bytes.len()).unwrap()));
            sent.extend_from_slice(bytes);
        }
        let mut frames = Frames::default();
        let mut taken = Vec::new();
        for byte in sent {
            frames.pending.push(byte);
            taken.extend(frames.next().unwrap());
        }
        let taken: Vec<_> = taken
            .iter()
            .map(|(kind, bytes)| (*kind, bytes.as_slice()))
            .collect();
        assert_eq!(
            taken,
            [
                (BackupFrame::Data, &b"first"[..]),
                (BackupFrame::Data, b""),
                (BackupFrame::Whole, b"{}"),
            ]
        );
    }

    #[test]
    fn a_frame_of_another_kind_or_length_ends_the_backup() {
        let mut unknown = Frames {
            pending: vec![9, 0, 0, 0, 0],
        };
        assert!(unknown.next().is_err());
        let mut long = Frames {
            pending: BackupFrame::Data.head(BACKUP_FRAME_BYTES_MAX + 1).to_vec(),
        };
        assert!(long.next().is_err());
    }

    #[tokio::test]
    async fn a_file_that_appears_meanwhile_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup");
        let (temporary, out) = begin(&path).unwrap();
        std::fs::write(&path, "another").unwrap();
        let error = keep(temporary, out, &path).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Exists);
        assert_eq!(std::fs::read(&path).unwrap(), b"another");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
