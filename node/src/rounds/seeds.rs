//! The seeds of an evaluation under way, and the blinding seed once it is sealed.
//!
//! ```text
//!  <round>-seeds    blinding seed (32) ‖ item seed (32) ‖ SHA-256(round ‖ both)
//! ```
//! They stand in a file of their own and not in the database: a database keeps what was overwritten or removed until it
//! happens to reuse the page, and the blinding seed must be nowhere once the evaluation is complete. The file is
//! overwritten in place before it is removed.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use mandorla_protocol::Terms;
use mandorla_protocol::responder::BlindingRecord;
use mandorla_store::StoreError;
use mandorla_store::run_file::{RunError, remove_durably};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::node::Node;
use crate::private_file;
use crate::records::round::{ROUNDS, RoundState};
use crate::rounds::update::find;
use crate::sealing::AuditorKey;

/// What the file's name has after the round's.
pub(super) const SUFFIX: &str = "seeds";
/// Two seeds and a checksum.
const FILE_BYTES: usize = 96;

/// Why a round's seed cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenSeedError {
    /// No such round, or one that this node asked.
    #[error("this node answers no round {0}")]
    UnknownRound(String),
    /// The evaluation is not complete, or `node.toml` named no auditor's key when it was.
    #[error("round {0} has no sealed seed")]
    NotSealed(String),
    /// Sealed to another key, or altered.
    #[error("the seed of round {0} was sealed to another key, or was altered")]
    DoesNotOpen(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Node {
    /// Opens the blinding seed of a round that this node answered, with the auditor's private key. `round` is the id on
    /// this node, `Q-…`. Who holds the seed can recompute every element that was put to the peer.
    pub fn open_seed(
        &self,
        round: &str,
        key: &AuditorKey,
    ) -> Result<Zeroizing<[u8; 32]>, OpenSeedError> {
        let unknown = || OpenSeedError::UnknownRound(round.to_owned());
        let not_sealed = || OpenSeedError::NotSealed(round.to_owned());
        let record = find(self, round)?.ok_or_else(unknown)?;
        let terms = record.terms().ok_or_else(not_sealed)?;
        let root = record.evaluation_root.ok_or_else(not_sealed)?.0;
        let sealed = record.sealed_seed.ok_or_else(not_sealed)?;
        key.open(&sealed, terms.round_id(), root)
            .ok_or_else(|| OpenSeedError::DoesNotOpen(round.to_owned()))
    }
}

/// Makes the seeds of a new round durable; a file that an earlier, never stored, round of this id left is replaced.
pub(super) fn write(dir: &Path, round: &str, record: &BlindingRecord) -> Result<(), StoreError> {
    let path = path(dir, round);
    let write = || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES));
        bytes.extend_from_slice(record.blind_seed());
        bytes.extend_from_slice(record.item_seed());
        let sum = checksum(round, &bytes);
        bytes.extend_from_slice(&sum);
        private_file::write(&path, &bytes)?;
        private_file::sync_dir(dir)
    };
    write().map_err(io_error("write", &path))
}

/// The seeds of a round whose evaluation is not complete; `None` if the file is not what was written.
pub(super) fn read(
    dir: &Path,
    round: &str,
    terms: Terms,
) -> Result<Option<BlindingRecord>, StoreError> {
    let path = path(dir, round);
    let bytes = Zeroizing::new(fs::read(&path).map_err(io_error("read", &path))?);
    let halves = parse(round, &bytes);
    Ok(halves.map(|[blind_seed, item_seed]| BlindingRecord::new(terms, *blind_seed, *item_seed)))
}

/// Both seeds, if the checksum fits.
fn parse<'a>(round: &str, bytes: &'a [u8]) -> Option<[&'a [u8; 32]; 2]> {
    let (seeds, sum) = bytes.split_at_checked(FILE_BYTES - 32)?;
    (sum == checksum(round, seeds)).then_some(())?;
    let (halves, _) = seeds.as_chunks::<32>();
    Some([&halves[0], &halves[1]])
}

/// Overwrites and removes the seeds of a round, if they are there.
pub(super) fn erase(dir: &Path, round: &str) -> Result<(), RunError> {
    let path = path(dir, round);
    if path.exists() {
        overwrite(&path)?;
        remove_durably(&path)?;
    }
    Ok(())
}

/// Overwrites a file in place.
pub(super) fn overwrite(path: &Path) -> Result<(), RunError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).open(path)?;
        private_file::overwrite(&mut file)
    };
    write().map_err(|source| RunError::Io {
        action: "overwrite",
        path: path.to_owned(),
        source,
    })
}

/// Erases seeds whose round does not need them any more, or was never stored: a node may die between a transaction and
/// what follows it.
pub(crate) fn sweep(node: &Node) -> Result<(), StoreError> {
    let dir = node.store.runs_dir();
    let tx = node.store.read()?;
    for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let ending = format!("-{SUFFIX}");
        let Some(round) = name.to_str().and_then(|name| name.strip_suffix(&ending)) else {
            continue;
        };
        let needed = tx.find(ROUNDS, round)?;
        if needed.is_none_or(|record| record.state != RoundState::Evaluating)
            && let Err(error) = erase(&dir, round)
        {
            tracing::error!(%round, %error, "seeds that are not needed any more could not be erased");
        }
    }
    Ok(())
}

fn path(dir: &Path, round: &str) -> PathBuf {
    dir.join(format!("{round}-{SUFFIX}"))
}

fn checksum(round: &str, seeds: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(round)
        .chain_update(seeds)
        .finalize()
        .into()
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io {
        action,
        path,
        source,
    }
}

#[cfg(test)]
mod tests;
