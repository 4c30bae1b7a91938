//! The ledger: a node's own append-only, Merkle-hashed, signed history.
//!
//! ```text
//!   seq │ leaf: JSON of LedgerEntry │ leaf hash              checkpoints, by tree size
//!   ────┼───────────────────────────┼──────────
//!    0  │ store.created, salt …     │ h0                     1 ─ signed root of {0}
//!    1  │ round.proposed, salt …    │ h1
//!    2  │ quota.charged, salt …     │ h2                     3 ─ signed root of {0, 1, 2}
//! ```
//!
//! The leaf hash (RFC 6962) covers the stored bytes exactly, so an entry is verified without being
//! re-encoded. Each entry has a fresh random salt: a hash or proof shown to somebody does not let them
//! guess the entry. One transaction makes one checkpoint, however many entries it appends.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use ed25519_dalek::{SigningKey, VerifyingKey};
use mandorla_protocol::checkpoint::{Checkpoint, NoteError};
use mandorla_protocol::merkle::{self, Frontier, Hash, LeafHashes, ProofError, leaf_hash};
use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, TableError, WriteTransaction,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::error::StoreError;
use verify::LedgerFault;

pub(crate) mod check;
pub(crate) mod proof;
pub(crate) mod verify;

/// Longest ledger entry as JSON. An entry records that something happened and the digests of what;
/// the matter itself stays in its table.
pub const LEDGER_LEAF_BYTES_MAX: usize = 64 * 1024;

pub(crate) const LEAVES: TableDefinition<u64, &[u8]> = TableDefinition::new("_ledger_leaves");
pub(crate) const HASHES: TableDefinition<u64, &Hash> = TableDefinition::new("_ledger_hashes");
pub(crate) const CHECKPOINTS: TableDefinition<u64, &str> =
    TableDefinition::new("_ledger_checkpoints");
/// The store's own values: see the keys beside each use.
pub(crate) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("_meta");
/// In [`META`]: the encoded [`Frontier`] of the ledger.
pub(crate) const FRONTIER_KEY: &str = "ledger_frontier";

/// The origin line of a node's ledger checkpoints: `mandorla ledger <node name>`.
pub fn ledger_origin(node_name: &str) -> String {
    format!("mandorla ledger {node_name}")
}

/// What kind of processing an entry records: the operations that Directive (EU) 2016/680 article 25 and its
/// national laws want logged, and `Admin` for what touches no personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Data came in.
    Collection,
    /// Data was changed.
    Alteration,
    /// Data was looked at, or used to ask.
    Consultation,
    /// Data left, or it was decided whether it does.
    Disclosure,
    /// Data of two sources was brought together.
    Combination,
    /// Data was erased.
    Erasure,
    /// The node was run or configured.
    Admin,
}

impl Operation {
    /// The word in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Collection => "collection",
            Self::Alteration => "alteration",
            Self::Consultation => "consultation",
            Self::Disclosure => "disclosure",
            Self::Combination => "combination",
            Self::Erasure => "erasure",
            Self::Admin => "admin",
        }
    }
}

/// Which text of an agreement something happened under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementRef {
    /// Name, the same in all versions.
    pub id: String,
    /// Version, from 1.
    pub version: u32,
    /// Hash of the exact text, 64 lower-case hexadecimal digits.
    pub hash: String,
}

/// Something that happened and is to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerEvent {
    /// When, in seconds since 1970-01-01 UTC, by the node's clock.
    pub time_unix_s: u64,
    /// What kind of processing it is.
    pub operation: Operation,
    /// What: a dotted name, such as `item.released`.
    pub event: String,
    /// Who caused it, if a person or peer did.
    pub actor: Option<String>,
    /// In which role they acted.
    pub role: Option<String>,
    /// The agreement it happened under.
    pub agreement: Option<AgreementRef>,
    /// The round it belongs to.
    pub round: Option<String>,
    /// Further facts, by name.
    pub detail: BTreeMap<String, Value>,
}

impl LedgerEvent {
    /// An event without actor, agreement, round or detail.
    pub fn new(time_unix_s: u64, operation: Operation, event: impl Into<String>) -> Self {
        Self {
            time_unix_s,
            operation,
            event: event.into(),
            actor: None,
            role: None,
            agreement: None,
            round: None,
            detail: BTreeMap::new(),
        }
    }

    /// Names who caused it, and in which role.
    #[must_use]
    pub fn by(mut self, actor: impl Into<String>, role: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self.role = Some(role.into());
        self
    }

    /// Names the agreement.
    #[must_use]
    pub fn agreement(mut self, agreement: AgreementRef) -> Self {
        self.agreement = Some(agreement);
        self
    }

    /// Names the round.
    #[must_use]
    pub fn round(mut self, round: impl Into<String>) -> Self {
        self.round = Some(round.into());
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn detail(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.detail.insert(name.into(), value.into());
        self
    }
}

/// An entry of the ledger: an event with its place and its salt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerEntry {
    /// Its number, from 0 without gaps.
    pub seq: u64,
    /// See [`LedgerEvent::time_unix_s`].
    pub time_unix_s: u64,
    /// The node whose ledger it is.
    pub node: String,
    /// See [`LedgerEvent::operation`].
    pub operation: Operation,
    /// See [`LedgerEvent::event`].
    pub event: String,
    /// See [`LedgerEvent::actor`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// See [`LedgerEvent::role`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// See [`LedgerEvent::agreement`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementRef>,
    /// See [`LedgerEvent::round`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<String>,
    /// See [`LedgerEvent::detail`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, Value>,
    /// Hides the entry behind its leaf hash.
    pub salt: Salt,
}

impl LedgerEntry {
    fn new(seq: u64, node: String, event: LedgerEvent, salt: Salt) -> Self {
        let LedgerEvent {
            time_unix_s,
            operation,
            event,
            actor,
            role,
            agreement,
            round,
            detail,
        } = event;
        Self {
            seq,
            time_unix_s,
            node,
            operation,
            event,
            actor,
            role,
            agreement,
            round,
            detail,
            salt,
        }
    }
}

/// The 32 random bytes of an entry; in JSON, 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 32]);

impl Salt {
    fn fresh() -> Result<Self, StoreError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}

impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&digits, &mut bytes)
            .map_err(|_| serde::de::Error::custom("a salt is 64 hexadecimal digits"))?;
        Ok(Self(bytes))
    }
}

/// Who signs the checkpoints of this ledger. The key is erased when dropped.
pub(crate) struct LedgerSigner {
    pub(crate) node_name: String,
    pub(crate) key: SigningKey,
}

impl LedgerSigner {
    fn sign(&self, frontier: &Frontier) -> Result<String, NoteError> {
        let origin = ledger_origin(&self.node_name);
        let checkpoint = Checkpoint::new(origin, frontier.size(), frontier.root())?;
        Ok(checkpoint.signed(&self.key, &self.node_name)?.to_string())
    }
}

/// Whose signatures a ledger's checkpoints must bear.
#[derive(Debug, Clone)]
pub struct LedgerVerifier {
    /// The node's name: origin and key name of its checkpoints.
    pub node_name: String,
    /// The node's present signing key and those it had before; each checkpoint bears one of them.
    pub keys: Vec<VerifyingKey>,
}

impl LedgerVerifier {
    /// Parses a stored checkpoint and checks who signed it, which ledger it is of, and its size.
    pub fn check(&self, size: u64, note: &str) -> Result<Checkpoint, LedgerFault> {
        let mut refusal = None;
        for key in &self.keys {
            match Checkpoint::verify(note, &self.node_name, key) {
                Ok(checkpoint) if checkpoint.origin() != ledger_origin(&self.node_name) => {
                    return Err(LedgerFault::ForeignCheckpoint { size });
                }
                Ok(checkpoint) if checkpoint.size() != size => {
                    let claims = checkpoint.size();
                    return Err(LedgerFault::CheckpointOutOfPlace { size, claims });
                }
                Ok(checkpoint) => return Ok(checkpoint),
                // That one key did not sign says less than what is wrong with another's signature.
                Err(NoteError::NotSigned { .. }) if refusal.is_some() => {}
                Err(error) => refusal = Some(error),
            }
        }
        let reason = refusal.unwrap_or(NoteError::NotSigned { key_id: [0; 4] });
        Err(LedgerFault::CheckpointRefused { size, reason })
    }
}

/// Extends the ledger within one write transaction.
pub(crate) struct LedgerAppender<'store> {
    signer: &'store LedgerSigner,
    /// The frontier with what this transaction appended; read when first needed.
    frontier: Option<Frontier>,
    broken: bool,
}

impl<'store> LedgerAppender<'store> {
    pub(crate) fn new(signer: &'store LedgerSigner) -> Self {
        Self {
            signer,
            frontier: None,
            broken: false,
        }
    }

    /// Whether an entry was appended, or failed to be: then [`seal`](Self::seal) says so.
    pub(crate) fn was_used(&self) -> bool {
        self.frontier.is_some() || self.broken
    }

    pub(crate) fn append(
        &mut self,
        transaction: &WriteTransaction,
        event: LedgerEvent,
    ) -> Result<u64, StoreError> {
        if self.broken {
            return Err(StoreError::BrokenTransaction);
        }
        // Until the last step: an error on the way leaves the tables and the frontier apart.
        self.broken = true;
        let mut frontier = match self.frontier.take() {
            Some(frontier) => frontier,
            None => stored_frontier(&transaction.open_table(META)?)?,
        };
        let seq = frontier.size();
        let entry = LedgerEntry::new(seq, self.signer.node_name.clone(), event, Salt::fresh()?);
        let leaf = serde_json::to_vec(&entry).map_err(|_| StoreError::Encode {
            table: "_ledger_leaves",
        })?;
        if leaf.len() > LEDGER_LEAF_BYTES_MAX {
            return Err(StoreError::EntryTooLong { bytes: leaf.len() });
        }
        let hash = leaf_hash(&leaf);
        transaction
            .open_table(LEAVES)?
            .insert(seq, leaf.as_slice())?;
        transaction.open_table(HASHES)?.insert(seq, &hash)?;
        frontier.append(hash);
        self.frontier = Some(frontier);
        self.broken = false;
        Ok(seq)
    }

    /// Signs the tree as it now is, if entries were appended.
    pub(crate) fn seal(self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        if self.broken {
            return Err(StoreError::BrokenTransaction);
        }
        let Some(frontier) = self.frontier else {
            return Ok(());
        };
        let note = self.signer.sign(&frontier)?;
        transaction
            .open_table(CHECKPOINTS)?
            .insert(frontier.size(), note.as_str())?;
        transaction
            .open_table(META)?
            .insert(FRONTIER_KEY, frontier.to_bytes().as_slice())?;
        Ok(())
    }
}

/// The frontier in the meta table; that of the empty ledger before the first entry.
pub(crate) fn stored_frontier(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Frontier, StoreError> {
    match meta.get(FRONTIER_KEY)? {
        None => Ok(Frontier::new()),
        Some(bytes) => Frontier::from_bytes(bytes.value()).ok_or(StoreError::NotAStore {
            what: "readable ledger frontier",
        }),
    }
}

/// The ledger as one read transaction sees it. Nothing read through it has been verified: that is
/// [`verify_ledger`](crate::Store::verify_ledger)'s work.
pub struct LedgerReader {
    pub(crate) frontier: Frontier,
    pub(crate) leaves: ReadOnlyTable<u64, &'static [u8]>,
    pub(crate) hashes: ReadOnlyTable<u64, &'static Hash>,
    pub(crate) checkpoints: ReadOnlyTable<u64, &'static str>,
}

impl LedgerReader {
    pub(crate) fn open(transaction: &ReadTransaction) -> Result<Self, StoreError> {
        // Creation writes the first entry, so a store has each of these tables.
        let absent = |what| {
            move |error| match error {
                TableError::TableDoesNotExist(_) => StoreError::NotAStore { what },
                error => StoreError::from(error),
            }
        };
        let meta = transaction.open_table(META).map_err(absent("meta table"))?;
        Ok(Self {
            frontier: stored_frontier(&meta)?,
            leaves: transaction.open_table(LEAVES).map_err(absent("ledger"))?,
            hashes: transaction
                .open_table(HASHES)
                .map_err(absent("ledger hashes"))?,
            checkpoints: transaction
                .open_table(CHECKPOINTS)
                .map_err(absent("checkpoints"))?,
        })
    }

    /// How many entries there are.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The Merkle root over all entries.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The bytes that the leaf hash of an entry covers.
    pub fn leaf_bytes(&self, seq: u64) -> Result<Vec<u8>, StoreError> {
        self.check_bound(seq, self.size())?;
        let leaf = self.leaves.get(seq)?.ok_or(LedgerFault::Missing { seq })?;
        Ok(leaf.value().to_owned())
    }

    /// One entry.
    pub fn entry(&self, seq: u64) -> Result<LedgerEntry, StoreError> {
        let leaf = self.leaf_bytes(seq)?;
        serde_json::from_slice(&leaf).map_err(|_| LedgerFault::Unreadable { seq }.into())
    }

    /// The entries with these numbers, as far as they exist.
    pub fn entries(&self, seqs: Range<u64>) -> Result<Vec<LedgerEntry>, StoreError> {
        (seqs.start..seqs.end.min(self.size()))
            .map(|seq| self.entry(seq))
            .collect()
    }

    /// The signed checkpoint over all entries: a note to keep elsewhere, against which a rolled-back
    /// or forked ledger can later be found out.
    pub fn latest_checkpoint(&self) -> Result<String, StoreError> {
        let size = self.size();
        let missing = || LedgerFault::CheckpointMissing { size };
        Ok(self
            .checkpoints
            .get(size)?
            .ok_or_else(missing)?
            .value()
            .to_owned())
    }

    /// The signed checkpoint at an earlier size, if a transaction ended there.
    pub fn checkpoint_at(&self, size: u64) -> Result<Option<String>, StoreError> {
        Ok(self
            .checkpoints
            .get(size)?
            .map(|note| note.value().to_owned()))
    }

    /// The signed checkpoints whose sizes lie in a range, in their order.
    pub fn checkpoints(&self, sizes: Range<u64>) -> Result<Vec<(u64, String)>, StoreError> {
        let rows = self.checkpoints.range(sizes)?;
        rows.map(|row| {
            let (size, note) = row?;
            Ok((size.value(), note.value().to_owned()))
        })
        .collect()
    }

    /// The Merkle root over the first `size` entries, recomputed from their stored hashes.
    pub fn root_at(&self, size: u64) -> Result<Hash, StoreError> {
        if size > self.size() {
            return self.check_bound(size, self.size()).map(|()| [0; 32]);
        }
        let mut frontier = Frontier::new();
        for seq in 0..size {
            frontier.append(self.leaf(seq)?);
        }
        Ok(frontier.root())
    }

    /// The proof that entry `seq` is in the tree of the first `size` entries (RFC 9162 section 2.1.3).
    pub fn inclusion_proof(&self, seq: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        merkle::inclusion_proof(self, seq, size).map_err(proof_error)
    }

    /// The proof that the first `old_size` entries are a prefix of the first `new_size` (RFC 9162 section 2.1.4).
    pub fn consistency_proof(&self, old_size: u64, new_size: u64) -> Result<Vec<Hash>, StoreError> {
        merkle::consistency_proof(self, old_size, new_size).map_err(proof_error)
    }

    fn check_bound(&self, wanted: u64, bound: u64) -> Result<(), StoreError> {
        let size = self.size();
        if wanted < bound {
            Ok(())
        } else {
            Err(StoreError::OutsideLedger { wanted, size })
        }
    }
}

impl LeafHashes for LedgerReader {
    type Error = StoreError;

    fn len(&self) -> u64 {
        self.size()
    }

    fn leaf(&self, seq: u64) -> Result<Hash, StoreError> {
        Ok(*self
            .hashes
            .get(seq)?
            .ok_or(LedgerFault::Missing { seq })?
            .value())
    }
}

fn proof_error(error: ProofError<StoreError>) -> StoreError {
    match error {
        ProofError::OutOfRange { wanted, available } => StoreError::OutsideLedger {
            wanted,
            size: available,
        },
        ProofError::Source(error) => error,
    }
}

#[cfg(test)]
mod tests;
