//! Recomputing the whole ledger: every leaf hash, every root, every signature.

use std::path::Path;

use mandorla_protocol::checkpoint::{Checkpoint, NoteError};
use mandorla_protocol::merkle::{Frontier, Hash, leaf_hash};
use redb::{ReadTransaction, ReadableDatabase as _};

use super::{LedgerEntry, LedgerReader, LedgerVerifier};
use crate::error::StoreError;
use crate::store::open_read_only;

/// What a verified ledger amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerReport {
    /// How many entries it has.
    pub entries: u64,
    /// How many signed checkpoints stand behind them.
    pub checkpoints: u64,
    /// The Merkle root over all entries.
    pub root: Hash,
    /// How many of the checkpoints known from elsewhere were found in its history: all of them.
    pub known_found: u64,
}

/// The first thing found wrong with a ledger. Numbers and key ids only, safe to log.
#[derive(Debug, thiserror::Error)]
pub enum LedgerFault {
    /// An entry is not there.
    #[error("entry {seq} is missing")]
    Missing {
        /// The entry.
        seq: u64,
    },
    /// An entry's bytes do not have the hash that was stored with it.
    #[error("entry {seq} was altered: its bytes do not have the hash stored with it")]
    Altered {
        /// The entry.
        seq: u64,
    },
    /// An entry's hash is in its place, but the entry is not readable.
    #[error("entry {seq} is not a ledger entry")]
    Unreadable {
        /// The entry.
        seq: u64,
    },
    /// An entry stands where another belongs.
    #[error("entry {seq} claims to be entry {claims}")]
    OutOfPlace {
        /// Where it stands.
        seq: u64,
        /// What it says.
        claims: u64,
    },
    /// A leaf hash without an entry, or more hashes than entries.
    #[error("there is a hash for entry {seq}, which does not exist")]
    SurplusHash {
        /// The entry it would belong to.
        seq: u64,
    },
    /// The entries since the last good checkpoint do not have the signed root.
    #[error("entries {first} to {last} do not have the signed root: at least one was altered")]
    RootMismatch {
        /// The first entry the earlier checkpoint does not cover.
        first: u64,
        /// The last entry the failing checkpoint covers.
        last: u64,
    },
    /// A checkpoint speaks of more entries than there are.
    #[error("the ledger ends after {entries} entries, but {signed} were signed: it was cut off")]
    Truncated {
        /// Entries found.
        entries: u64,
        /// Size in the checkpoint.
        signed: u64,
    },
    /// No checkpoint covers this entry and those after it.
    #[error("no signed checkpoint covers entry {seq}")]
    Unsigned {
        /// The first such entry.
        seq: u64,
    },
    /// There is no checkpoint for the present size.
    #[error("there is no checkpoint for size {size}")]
    CheckpointMissing {
        /// The size.
        size: u64,
    },
    /// A checkpoint is malformed or not signed by a key of this node.
    #[error("the checkpoint for size {size} is refused")]
    CheckpointRefused {
        /// Its place.
        size: u64,
        /// Why.
        #[source]
        reason: NoteError,
    },
    /// A checkpoint of another log.
    #[error("the checkpoint for size {size} is of another log")]
    ForeignCheckpoint {
        /// Its place.
        size: u64,
    },
    /// A checkpoint stands in the place of another.
    #[error("the checkpoint for size {size} claims size {claims}")]
    CheckpointOutOfPlace {
        /// Its place.
        size: u64,
        /// The size it states.
        claims: u64,
    },
    /// The stored frontier, from which the ledger would be continued, is not that of the entries.
    #[error("the stored Merkle frontier (size {stored}) is not that of the {entries} entries")]
    FrontierMismatch {
        /// Its size.
        stored: u64,
        /// Entries found.
        entries: u64,
    },
    /// A checkpoint known from elsewhere has another root at this size: the history was rewritten.
    #[error("the ledger had another content at size {size}: its history was rewritten")]
    Rewritten {
        /// The size of the known checkpoint.
        size: u64,
    },
    /// The ledger could not be read at all.
    #[error("the ledger could not be read")]
    Unavailable(#[source] Box<StoreError>),
}

impl From<StoreError> for LedgerFault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Ledger(fault) => *fault,
            error => Self::Unavailable(Box::new(error)),
        }
    }
}

macro_rules! from_redb {
    ($($error:ident)*) => {$(
        impl From<redb::$error> for LedgerFault {
            fn from(error: redb::$error) -> Self {
                StoreError::from(error).into()
            }
        }
    )*};
}

from_redb!(StorageError TransactionError);

/// Verifies the ledger in the store in `dir`, which no node has open: for audits offline and for
/// stores that refuse to open. See [`Store::verify_ledger`](crate::Store::verify_ledger).
///
/// The file is not changed, so one that was left open by a crash has to be opened by its node, or
/// a copy of it by another `Store`, first: until then it reads as [`LedgerFault::Unavailable`].
pub fn verify_ledger_file(
    dir: &Path,
    verifier: &LedgerVerifier,
    known: &[Checkpoint],
) -> Result<LedgerReport, LedgerFault> {
    let transaction = open_read_only(dir)?.begin_read()?;
    verify(&transaction, verifier, known)
}

pub(crate) fn verify(
    transaction: &ReadTransaction,
    verifier: &LedgerVerifier,
    known: &[Checkpoint],
) -> Result<LedgerReport, LedgerFault> {
    let ledger = LedgerReader::open(transaction)?;
    let mut known = KnownRoots::new(known, verifier)?;
    let mut frontier = Frontier::new();
    let mut checkpoints = 0;
    let mut leaves = ledger.leaves.range::<u64>(..)?;
    let mut hashes = ledger.hashes.range::<u64>(..)?;
    known.check(&frontier)?;

    for row in ledger.checkpoints.range::<u64>(..)? {
        let (size, note) = row?;
        let size = size.value();
        let checkpoint = verifier.check(size, note.value())?;
        let first = frontier.size();
        while frontier.size() < size {
            let seq = frontier.size();
            let Some(leaf) = leaves.next().transpose()? else {
                return Err(LedgerFault::Truncated {
                    entries: seq,
                    signed: size,
                });
            };
            let hash = hashes.next().transpose()?;
            let hash = hash.as_ref().map(|(at, hash)| (at.value(), hash.value()));
            frontier.append(check_entry(seq, (leaf.0.value(), leaf.1.value()), hash)?);
            known.check(&frontier)?;
        }
        if frontier.root() != *checkpoint.root() {
            return Err(LedgerFault::RootMismatch {
                first,
                last: size.saturating_sub(1),
            });
        }
        checkpoints += 1;
    }

    let entries = frontier.size();
    if leaves.next().transpose()?.is_some() {
        return Err(LedgerFault::Unsigned { seq: entries });
    }
    if let Some((at, _)) = hashes.next().transpose()? {
        return Err(LedgerFault::SurplusHash { seq: at.value() });
    }
    if ledger.frontier != frontier {
        return Err(LedgerFault::FrontierMismatch {
            stored: ledger.size(),
            entries,
        });
    }
    known.finish(entries)?;
    Ok(LedgerReport {
        entries,
        checkpoints,
        root: frontier.root(),
        known_found: known.found,
    })
}

/// Checks one stored entry in the place of number `seq`; returns its leaf hash.
pub(super) fn check_entry(
    seq: u64,
    (at, leaf): (u64, &[u8]),
    stored_hash: Option<(u64, &Hash)>,
) -> Result<Hash, LedgerFault> {
    if at != seq {
        return Err(LedgerFault::Missing { seq });
    }
    let hash = leaf_hash(leaf);
    if stored_hash != Some((seq, &hash)) {
        return Err(LedgerFault::Altered { seq });
    }
    let entry: LedgerEntry =
        serde_json::from_slice(leaf).map_err(|_| LedgerFault::Unreadable { seq })?;
    if entry.seq != seq {
        return Err(LedgerFault::OutOfPlace {
            seq,
            claims: entry.seq,
        });
    }
    Ok(hash)
}

/// Checkpoints that were kept outside the store, to be found in the history as it is recomputed.
struct KnownRoots<'known> {
    /// By size, the largest first.
    pending: Vec<&'known Checkpoint>,
    found: u64,
}

impl<'known> KnownRoots<'known> {
    fn new(known: &'known [Checkpoint], verifier: &LedgerVerifier) -> Result<Self, LedgerFault> {
        let origin = super::ledger_origin(&verifier.node_name);
        if let Some(foreign) = known
            .iter()
            .find(|checkpoint| checkpoint.origin() != origin)
        {
            return Err(LedgerFault::ForeignCheckpoint {
                size: foreign.size(),
            });
        }
        let mut pending: Vec<_> = known.iter().collect();
        pending.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.size()));
        Ok(Self { pending, found: 0 })
    }

    fn check(&mut self, frontier: &Frontier) -> Result<(), LedgerFault> {
        let size = frontier.size();
        while let Some(checkpoint) = self.pending.pop_if(|checkpoint| checkpoint.size() == size) {
            if *checkpoint.root() != frontier.root() {
                return Err(LedgerFault::Rewritten { size });
            }
            self.found += 1;
        }
        Ok(())
    }

    fn finish(&self, entries: u64) -> Result<(), LedgerFault> {
        match self.pending.first() {
            Some(largest) => Err(LedgerFault::Truncated {
                entries,
                signed: largest.size(),
            }),
            None => Ok(()),
        }
    }
}
