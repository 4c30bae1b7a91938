//! `backup restore`: a new data directory from a backup and the node's keys, while no node runs.
//!
//! ```text
//!  <data dir>/.restoring/   keys.toml, store.redb, pseudonym.key, node.toml   ── all checked ──►  <data dir>/…, node.toml last
//! ```
//! A directory without a `node.toml` is no node, so the rename of that file is the moment from which the restored node
//! exists; before it there is nothing that could be run, and what an interrupted restore left is removed by the next.
//!
//! What is restored is an earlier state, and others know what came after it. So, in one transaction with its ledger
//! entry: open rounds end, every period of every quota counts as used up, and every pair log waits until it has been
//! reconciled with the peer.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use mandorla_control::{BackupRestored, BackupView, Role};
use mandorla_store::{AnyTable, LedgerEvent, Store, StoreConfig, StoreError, StoreImport, WriteTx};
use serde_json::Value;
use zeroize::Zeroizing;

use super::check::{self, Sink};
use super::content::FILES;
use super::error::BackupError;
use super::format::Manifest;
use crate::clock::Clock;
use crate::config::{CONFIG_NAME, Config, ConfigError};
use crate::events::Event;
use crate::identity::{Identity, KEYS_NAME};
use crate::permissions;
use crate::private_file;
use crate::pseudonym::{PSEUDONYM_KEY_NAME, PseudonymKey};
use crate::records::SCHEMA;
use crate::records::peer::PEERS;
use crate::records::quota;
use crate::records::round::{ROUNDS, RoundState};
use crate::rounds::{os_rng, pair};
use crate::seal::Seal;

/// The directory that a restore works in.
const STAGING_NAME: &str = ".restoring";
/// What a restore makes beside the files of the backup.
const MADE: [&str; 3] = ["store.redb", "runs", KEYS_NAME];
/// The reason with which open rounds end.
const REASON: &str = "restored";

/// What a restore moves into its place, in this order; `node.toml`, the last, makes it a node.
fn parts() -> impl Iterator<Item = &'static str> {
    let files = FILES.iter().copied().filter(|name| *name != CONFIG_NAME);
    MADE.into_iter().chain(files).chain([CONFIG_NAME])
}

/// Makes a node in `data_dir` from a backup and the copy of the node's keys, which `keys_seal` opens if they are sealed, and
/// which stay so: everything or nothing.
///
/// # Errors
/// Whatever [`verify`](super::verify) finds; [`BackupError::NotEmpty`], [`BackupError::OtherKeys`]. Nothing is left in
/// the directory then.
pub fn restore(
    file: &Path,
    seal: &Seal,
    keys: &Path,
    keys_seal: Option<&Seal>,
    data_dir: &Path,
    clock: &Clock,
) -> Result<BackupRestored, BackupError> {
    let staging = Staging::begin(data_dir)?;
    let identity = Identity::read_copy(keys, keys_seal)?;
    bring_keys(keys, &staging.dir)?;
    let mut sink = Restoring {
        keys,
        keys_seal: identity.sealed().and(keys_seal),
        identity: &identity,
        import: StoreImport::begin(&staging.dir)?,
        dir: &staging.dir,
        schema: 0,
    };
    let view = check::read(file, seal, &mut sink)?;
    let Restoring { import, schema, .. } = sink;
    import.finish(schema)?;

    let now_s = clock.now_s();
    let store = Store::open(
        &staging.dir,
        StoreConfig {
            node_name: view.node.clone(),
            signing_key: identity.ledger_key(),
            retired_keys: identity.earlier_ledger_keys(),
            schema: SCHEMA,
            migrations: &[],
            now_unix_s: now_s,
        },
    )?;
    store.verify_ledger(&[])?;
    // A clock that is behind the backup's does not make less of what may have been used since.
    let spent_until = now_s.max(view.created_at);
    let settled = store.write(|tx| settle(tx, &view, now_s, spent_until))?;
    drop(store);
    staging.commit()?;
    let (rounds_ended, reconcile) = settled;
    Ok(BackupRestored {
        schema: 1,
        data_dir: data_dir.display().to_string(),
        backup: view,
        rounds_ended,
        spent_until,
        reconcile,
    })
}

/// Ends what cannot go on and closes what could be regained. Gives the rounds that ended and the peers to reconcile with.
fn settle(
    tx: &WriteTx<'_>,
    view: &BackupView,
    now_s: u64,
    spent_until: u64,
) -> Result<(Vec<String>, Vec<String>), StoreError> {
    let event = |event: Event| LedgerEvent::new(now_s, event.operation(), event.name());
    let account = format!("account {}", rustix::process::geteuid().as_raw());
    let mut ended = Vec::new();
    for (id, mut round) in tx.scan_all(ROUNDS)? {
        if round.state.is_over() {
            continue;
        }
        round.state = RoundState::Ended;
        round.machine = None;
        REASON.clone_into(&mut round.detail);
        round.revision += 1;
        tx.put(ROUNDS, id.as_str(), &round)?;
        let over = event(Event::RoundEnded)
            .agreement(round.agreement_ref())
            .round(id.clone())
            .detail("reason", REASON);
        tx.append_ledger(over)?;
        ended.push(id);
    }
    quota::spend_until(tx, spent_until)?;
    let peers: Vec<String> = tx
        .scan_all(PEERS)?
        .into_iter()
        .map(|(code, _)| code)
        .collect();
    for peer in &peers {
        pair::mark_restored(tx, peer)?;
    }
    pair::mark_all_restored(tx)?;
    let restored = event(Event::BackupRestored)
        .by(account, Role::Operator.word())
        .detail("backup_created_at", view.created_at)
        .detail("backup_ledger_entries", view.ledger_entries)
        .detail("backup_ledger_root", view.ledger_root.clone())
        .detail("backup_file_digest", view.file_digest.clone())
        .detail("rounds_ended", ended.len())
        .detail("spent_until", spent_until)
        .detail("reconcile", peers.clone());
    tx.append_ledger(restored)?;
    Ok((ended, peers))
}

/// Takes the content into the new store.
struct Restoring<'a> {
    keys: &'a Path,
    /// How the node's keys are sealed, and so that of its pseudonyms.
    keys_seal: Option<&'a Seal>,
    identity: &'a Identity,
    import: StoreImport,
    dir: &'a Path,
    schema: u32,
}

impl Sink for Restoring<'_> {
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), BackupError> {
        self.schema = manifest.store_schema;
        let own = [
            (
                "signing",
                self.identity.node_key().to_string(),
                &manifest.signing_key,
            ),
            (
                "transport",
                self.identity.transport_key().to_string(),
                &manifest.transport_key,
            ),
            (
                "release",
                hex::encode(self.identity.release_key()),
                &manifest.release_key,
            ),
        ];
        let other = own.into_iter().find(|(_, own, wanted)| own != *wanted);
        other.map_or(Ok(()), |(which, ..)| {
            Err(BackupError::OtherKeys {
                which,
                path: self.keys.to_owned(),
            })
        })
    }

    fn file(&mut self, name: &'static str, content: &[u8]) -> Result<(), BackupError> {
        if name == CONFIG_NAME {
            let parsed = std::str::from_utf8(content)
                .map_err(|error| error.to_string())
                .and_then(Config::parse);
            parsed.map_err(|message| ConfigError::Invalid {
                path: PathBuf::from(CONFIG_NAME),
                message,
            })?;
        }
        if name == PSEUDONYM_KEY_NAME {
            let key = PseudonymKey::of_backup(content);
            let key = key.ok_or(BackupError::Content("its pseudonym.key is no key"))?;
            key.write(self.dir, self.keys_seal, &mut os_rng())?;
            return Ok(());
        }
        write_file(&self.dir.join(name), content)
    }

    fn ledger_entry(&mut self, leaf: &[u8]) -> Result<(), BackupError> {
        Ok(self.import.ledger_entry(leaf)?)
    }

    fn ledger_checkpoint(&mut self, note: &str) -> Result<(), BackupError> {
        Ok(self.import.ledger_checkpoint(note)?)
    }

    fn row(&mut self, table: AnyTable, key: &Value, value: &[u8]) -> Result<(), BackupError> {
        Ok(self.import.row(table, key, value)?)
    }
}

/// Copies the keys, as they are sealed, to where the node has them.
fn bring_keys(keys: &Path, dir: &Path) -> Result<(), BackupError> {
    let text = fs::read(keys).map(Zeroizing::new);
    write_file(&dir.join(KEYS_NAME), &text.map_err(io_error(keys))?)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    private_file::write_new(path, bytes).map_err(io_error(path))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { path, source }
}

/// A directory in which a restore works. Dropped before it is committed, it leaves nothing.
struct Staging {
    data_dir: PathBuf,
    dir: PathBuf,
    made_data_dir: bool,
    committed: bool,
}

impl Staging {
    fn begin(data_dir: &Path) -> Result<Self, BackupError> {
        let made_data_dir = !data_dir.exists();
        let dir = data_dir.join(STAGING_NAME);
        let make = |path: &Path| {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(path).map_err(io_error(path))
        };
        make(data_dir)?;
        // A node refuses a directory that others can enter: better now than at its start.
        permissions::check_data_dir(data_dir)?;
        clear_interrupted(data_dir, &dir)?;
        let mut entries = fs::read_dir(data_dir).map_err(io_error(data_dir))?;
        if let Some(entry) = entries.next() {
            let found = entry.map_err(io_error(data_dir))?.file_name();
            return Err(BackupError::NotEmpty {
                data_dir: data_dir.to_owned(),
                found: found.to_string_lossy().into_owned(),
            });
        }
        make(&dir)?;
        Ok(Self {
            data_dir: data_dir.to_owned(),
            dir,
            made_data_dir,
            committed: false,
        })
    }

    /// Moves everything into its place.
    fn commit(mut self) -> Result<(), BackupError> {
        let sync = |path: &Path| {
            let synced = File::open(path).and_then(|dir| dir.sync_all());
            synced.map_err(io_error(path))
        };
        sync(&self.dir)?;
        for name in parts() {
            let from = self.dir.join(name);
            if name == CONFIG_NAME {
                sync(&self.data_dir)?; // all else is in its place before this is a node
            }
            fs::rename(&from, self.data_dir.join(name)).map_err(io_error(&from))?;
        }
        self.committed = true;
        sync(&self.data_dir)?;
        // Nothing is lost if the empty directory stays.
        let _ = fs::remove_dir(&self.dir);
        if self.made_data_dir
            && let Some(parent) = self.data_dir.parent()
        {
            let _ = File::open(parent).and_then(|dir| dir.sync_all());
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        let _ = remove_parts(&self.data_dir);
        let _ = fs::remove_dir_all(&self.dir);
        if self.made_data_dir {
            let _ = fs::remove_dir(&self.data_dir);
        }
    }
}

/// Removes what a restore that was killed left: its own directory, and beside it only what it had begun to move.
fn clear_interrupted(data_dir: &Path, staging: &Path) -> Result<(), BackupError> {
    let is_node = data_dir.join(CONFIG_NAME).exists();
    if is_node || !staging.exists() {
        return Ok(());
    }
    let known = |name: &str| name == STAGING_NAME || parts().any(|part| part == name);
    for entry in fs::read_dir(data_dir).map_err(io_error(data_dir))? {
        let found = entry.map_err(io_error(data_dir))?.file_name();
        let found = found.to_string_lossy();
        if !known(&found) {
            return Err(BackupError::NotEmpty {
                data_dir: data_dir.to_owned(),
                found: found.into_owned(),
            });
        }
    }
    remove_parts(data_dir).map_err(io_error(data_dir))?;
    fs::remove_dir_all(staging).map_err(io_error(staging))
}

/// Removes the parts of a directory that is no node, in the order in which they came.
fn remove_parts(data_dir: &Path) -> io::Result<()> {
    for name in parts() {
        let path = data_dir.join(name);
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
