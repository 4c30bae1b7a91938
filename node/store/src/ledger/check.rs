//! Checking a ledger that comes entry by entry, as from a backup, and is in no database.

use mandorla_protocol::merkle::{Frontier, leaf_hash};

use super::LedgerVerifier;
use super::verify::{LedgerFault, LedgerReport, check_entry};

/// A ledger as it is read: entries in their order, and each checkpoint right after the last entry that it covers.
///
/// Bounded memory, whatever the length.
pub struct LedgerCheck {
    verifier: LedgerVerifier,
    frontier: Frontier,
    checkpoints: u64,
    signed: u64,
}

impl LedgerCheck {
    /// A ledger of which nothing was read yet.
    pub fn new(verifier: LedgerVerifier) -> Self {
        Self {
            verifier,
            frontier: Frontier::new(),
            checkpoints: 0,
            signed: 0,
        }
    }

    /// The next entry, in its exact bytes.
    ///
    /// # Errors
    /// [`LedgerFault::Unreadable`] or [`LedgerFault::OutOfPlace`].
    pub fn entry(&mut self, leaf: &[u8]) -> Result<(), LedgerFault> {
        let seq = self.frontier.size();
        let hash = leaf_hash(leaf);
        check_entry(seq, (seq, leaf), Some((seq, &hash)))?;
        self.frontier.append(hash);
        Ok(())
    }

    /// A checkpoint over all entries so far.
    ///
    /// # Errors
    /// It is not signed by this node, or is not of these entries.
    pub fn checkpoint(&mut self, note: &str) -> Result<(), LedgerFault> {
        let size = self.frontier.size();
        let checkpoint = self.verifier.check(size, note)?;
        if self.frontier.root() != *checkpoint.root() {
            return Err(LedgerFault::RootMismatch {
                first: self.signed,
                last: size.saturating_sub(1),
            });
        }
        self.signed = size;
        self.checkpoints += 1;
        Ok(())
    }

    /// The end of the ledger: every entry is covered.
    ///
    /// # Errors
    /// [`LedgerFault::Unsigned`] if the last entries are not; [`LedgerFault::CheckpointMissing`] for an empty one.
    pub fn finish(&self) -> Result<LedgerReport, LedgerFault> {
        let entries = self.frontier.size();
        if self.signed < entries {
            return Err(LedgerFault::Unsigned { seq: self.signed });
        }
        if entries == 0 {
            return Err(LedgerFault::CheckpointMissing { size: 0 });
        }
        Ok(LedgerReport {
            entries,
            checkpoints: self.checkpoints,
            root: self.frontier.root(),
            known_found: 0,
        })
    }
}
