//! The proof that one entry stands in a ledger, for whoever has the node's public key and nothing else.

use mandorla_protocol::merkle::{Hash, leaf_hash, verify_inclusion};
use serde::{Deserialize, Serialize};

use super::verify::LedgerFault;
use super::{LedgerEntry, LedgerReader, LedgerVerifier};
use crate::error::StoreError;

/// An entry with its way up to a signed checkpoint. It shows this entry and the hashes beside its way, which are salted:
/// of the rest of the ledger it tells the size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryProof {
    /// Number of the entry.
    pub seq: u64,
    /// The entry's JSON, byte for byte as the leaf hash covers it.
    pub entry: String,
    /// Entries that the checkpoint covers.
    pub size: u64,
    /// The hashes beside the way to the root, from the leaf up (RFC 9162 section 2.1.3); hexadecimal.
    pub path: Vec<String>,
    /// The signed checkpoint: a note.
    pub checkpoint: String,
}

impl LedgerReader {
    /// Proves an entry against the latest checkpoint.
    pub fn prove(&self, seq: u64) -> Result<EntryProof, StoreError> {
        let size = self.size();
        let entry = String::from_utf8(self.leaf_bytes(seq)?)
            .map_err(|_| LedgerFault::Unreadable { seq })?;
        let path = self.inclusion_proof(seq, size)?;
        Ok(EntryProof {
            seq,
            entry,
            size,
            path: path.iter().map(hex::encode).collect(),
            checkpoint: self.latest_checkpoint()?,
        })
    }
}

impl EntryProof {
    /// The leaf hash of the entry.
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(self.entry.as_bytes())
    }

    /// Checks everything, without a store: the checkpoint is signed by this node and of its ledger, the path leads from
    /// this entry to its root, and the entry stands where it says. Returns the entry.
    ///
    /// # Errors
    /// The first fault: in the checkpoint, the entry, or the path ([`LedgerFault::Altered`]).
    pub fn verify(&self, verifier: &LedgerVerifier) -> Result<LedgerEntry, LedgerFault> {
        let seq = self.seq;
        let checkpoint = verifier.check(self.size, &self.checkpoint)?;
        let mut path: Vec<Hash> = Vec::with_capacity(self.path.len());
        for digits in &self.path {
            let mut hash = Hash::default();
            hex::decode_to_slice(digits, &mut hash).map_err(|_| LedgerFault::Altered { seq })?;
            path.push(hash);
        }
        verify_inclusion(&self.leaf_hash(), seq, self.size, &path, checkpoint.root())
            .map_err(|_| LedgerFault::Altered { seq })?;
        let entry: LedgerEntry =
            serde_json::from_str(&self.entry).map_err(|_| LedgerFault::Unreadable { seq })?;
        if entry.seq == seq {
            Ok(entry)
        } else {
            Err(LedgerFault::OutOfPlace {
                seq,
                claims: entry.seq,
            })
        }
    }
}
