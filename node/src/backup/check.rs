//! Reading a backup from end to end, with everything in it checked on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use ed25519_dalek::VerifyingKey;
use mandorla_control::{BackupPairLog, BackupPart, BackupView};
use mandorla_protocol::NodeKey;
use mandorla_protocol::checkpoint::{Checkpoint, SignedNote};
use mandorla_protocol::merkle::{Frontier, leaf_hash};
use mandorla_store::{AnyTable, LedgerCheck, LedgerVerifier};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::content;
use super::error::BackupError;
use super::format::{End, Item, ItemReader, Manifest};
use super::stream::SealedReader;
use crate::config::CONFIG_NAME;
use crate::peers;
use crate::pseudonym::{PSEUDONYM_KEY_NAME, PseudonymKey};
use crate::records::SCHEMA;
use crate::records::pair::{PAIR_LEAVES, PAIR_LOGS, PairLogRecord};
use crate::records::peer::{PEERS, PeerRecord};
use crate::seal::Seal;

/// Reads a backup and checks all of it: the passphrase, every chunk, the order of its parts, the ledger's tree and
/// signatures, the pair logs and their signatures. Nothing is written.
///
/// # Errors
/// The first fault.
pub fn verify(file: &Path, seal: &Seal) -> Result<BackupView, BackupError> {
    read(file, seal, &mut Nowhere)
}

/// Takes what a backup holds, after it was checked.
pub(super) trait Sink {
    /// Comes first.
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), BackupError>;
    /// A file of the data directory.
    fn file(&mut self, name: &'static str, content: &[u8]) -> Result<(), BackupError>;
    fn ledger_entry(&mut self, leaf: &[u8]) -> Result<(), BackupError>;
    fn ledger_checkpoint(&mut self, note: &str) -> Result<(), BackupError>;
    fn row(&mut self, table: AnyTable, key: &Value, value: &[u8]) -> Result<(), BackupError>;
}

struct Nowhere;

impl Sink for Nowhere {
    fn manifest(&mut self, _: &Manifest) -> Result<(), BackupError> {
        Ok(())
    }

    fn file(&mut self, _: &'static str, _: &[u8]) -> Result<(), BackupError> {
        Ok(())
    }

    fn ledger_entry(&mut self, _: &[u8]) -> Result<(), BackupError> {
        Ok(())
    }

    fn ledger_checkpoint(&mut self, _: &str) -> Result<(), BackupError> {
        Ok(())
    }

    fn row(&mut self, _: AnyTable, _: &Value, _: &[u8]) -> Result<(), BackupError> {
        Ok(())
    }
}

/// Reads a file to its end into a sink.
pub(super) fn read(
    file: &Path,
    seal: &Seal,
    sink: &mut impl Sink,
) -> Result<BackupView, BackupError> {
    let reading = |source| BackupError::Reading { source };
    let mut counted = Counted {
        inner: BufReader::new(File::open(file).map_err(reading)?),
        digest: Sha256::new(),
        bytes: 0,
    };
    let sealed = SealedReader::begin(&mut counted, seal)?;
    let mut items = ItemReader::new(sealed);
    let mut check = Check::begin(&mut items, sink)?;
    while check.end.is_none() {
        check.take(items.read()?, sink)?;
    }
    drop(items);
    check.finish(counted.bytes, counted.digest.finalize().into())
}

/// Counts and hashes what is read.
struct Counted<R> {
    inner: R,
    digest: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.digest.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// The parts of a backup come in this order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Files,
    Ledger,
    Tables,
}

struct Check {
    manifest: Manifest,
    part: Part,
    files: BTreeSet<&'static str>,
    ledger: LedgerCheck,
    pairs: PairLogs,
    table: Option<AnyTable>,
    rows: BTreeMap<String, u64>,
    end: Option<End>,
}

impl Check {
    fn begin<R: Read>(
        items: &mut ItemReader<R>,
        sink: &mut impl Sink,
    ) -> Result<Self, BackupError> {
        let Item::Manifest(manifest) = items.read()? else {
            return Err(BackupError::Content("its manifest does not come first"));
        };
        if manifest.store_schema > SCHEMA {
            return Err(BackupError::NewerSchema {
                found: manifest.store_schema,
                known: SCHEMA,
            });
        }
        let own = signing_keys(&manifest)?;
        let keys = own
            .iter()
            .map(|key| VerifyingKey::from_bytes(&key.0))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| BackupError::Content("a key in its manifest is not valid"))?;
        sink.manifest(&manifest)?;
        let verifier = LedgerVerifier {
            node_name: manifest.node.clone(),
            keys,
        };
        Ok(Self {
            ledger: LedgerCheck::new(verifier),
            pairs: PairLogs::new(own),
            part: Part::Files,
            files: BTreeSet::new(),
            manifest,
            table: None,
            rows: BTreeMap::new(),
            end: None,
        })
    }

    fn take(&mut self, item: Item<'_>, sink: &mut impl Sink) -> Result<(), BackupError> {
        const ORDER: BackupError = BackupError::Content("its parts are not in their order");
        match (item, self.part) {
            (Item::File(name, content), Part::Files) => {
                let name =
                    content::file(name).ok_or(BackupError::Content("a file that no backup has"))?;
                if !self.files.insert(name) {
                    return Err(BackupError::Content("a file comes twice"));
                }
                if name == PSEUDONYM_KEY_NAME && PseudonymKey::of_backup(content).is_none() {
                    return Err(BackupError::Content("its pseudonym.key is no key"));
                }
                sink.file(name, content)
            }
            (Item::LedgerEntry(leaf), Part::Files | Part::Ledger) => {
                self.part = Part::Ledger;
                self.ledger.entry(leaf)?;
                sink.ledger_entry(leaf)
            }
            (Item::LedgerCheckpoint(note), Part::Ledger) => {
                self.ledger.checkpoint(note)?;
                sink.ledger_checkpoint(note)
            }
            (Item::Table(name), Part::Ledger | Part::Tables) => {
                self.part = Part::Tables;
                let table = content::table(name)
                    .ok_or(BackupError::Content("a table that no backup has"))?;
                if self.rows.insert(name.to_owned(), 0).is_some() {
                    return Err(BackupError::Content("a table comes twice"));
                }
                self.table = Some(table);
                Ok(())
            }
            (Item::Row(key, value), Part::Tables) => {
                let table = self.table.ok_or(ORDER)?;
                self.pairs.row(table, &key, value)?;
                *self.rows.entry(table.name().to_owned()).or_default() += 1;
                sink.row(table, &key, value)
            }
            (Item::End(end), Part::Tables) => {
                self.end = Some(end);
                Ok(())
            }
            _ => Err(ORDER),
        }
    }

    fn finish(self, bytes: u64, digest: [u8; 32]) -> Result<BackupView, BackupError> {
        if !self.files.contains(CONFIG_NAME) {
            return Err(BackupError::Content("it holds no node.toml"));
        }
        if !self.files.contains(PSEUDONYM_KEY_NAME) {
            return Err(BackupError::Content("it holds no pseudonym.key"));
        }
        let ledger = self.ledger.finish()?;
        let root = hex::encode(ledger.root);
        if (ledger.entries, &root) != (self.manifest.ledger_entries, &self.manifest.ledger_root) {
            return Err(BackupError::Content(
                "its ledger is not that of its manifest",
            ));
        }
        if self.end.is_none_or(|end| end.rows != self.rows) {
            return Err(BackupError::Content("rows are missing"));
        }
        Ok(BackupView {
            schema: 1,
            node: self.manifest.node,
            created_at: self.manifest.created_at,
            program: self.manifest.program,
            signing_key: self.manifest.signing_key,
            ledger_entries: ledger.entries,
            ledger_root: root,
            contents: parts(&self.rows),
            pair_logs: self.pairs.finish()?,
            open_rounds: self.manifest.open_rounds,
            left_out: self.manifest.left_out,
            bytes,
            file_digest: hex::encode(digest),
        })
    }
}

/// Rows per table, for people.
pub(super) fn parts(rows: &BTreeMap<String, u64>) -> Vec<BackupPart> {
    let with_rows = rows.iter().filter(|(_, rows)| **rows > 0);
    with_rows
        .map(|(what, rows)| BackupPart {
            what: what.replace('_', " "),
            rows: *rows,
        })
        .collect()
}

/// The node's signing keys, present and earlier.
pub(super) fn signing_keys(manifest: &Manifest) -> Result<Vec<NodeKey>, BackupError> {
    let all = std::iter::once(&manifest.signing_key).chain(&manifest.retired_signing_keys);
    all.map(|key| key.parse())
        .collect::<Result<_, _>>()
        .map_err(|_| BackupError::Content("a key in its manifest cannot be read"))
}

/// Recomputes each pair log from its facts.
pub(super) struct PairLogs {
    own: Vec<NodeKey>,
    /// Every signing key that a peer ever had.
    peers: BTreeMap<String, Vec<NodeKey>>,
    logs: BTreeMap<String, (PairLogRecord, Frontier)>,
}

impl PairLogs {
    pub(super) fn new(own: Vec<NodeKey>) -> Self {
        Self {
            own,
            peers: BTreeMap::new(),
            logs: BTreeMap::new(),
        }
    }

    pub(super) fn row(
        &mut self,
        table: AnyTable,
        key: &Value,
        value: &[u8],
    ) -> Result<(), BackupError> {
        const BAD: BackupError = BackupError::Content("a row of a pair log cannot be read");
        if table.name() == PEERS.name() {
            let peer: PeerRecord = serde_json::from_slice(value).map_err(|_| BAD)?;
            let keys = peers::signing_keys(&peer);
            self.peers.insert(peer.code, keys);
        } else if table.name() == PAIR_LOGS.name() {
            let name = key.as_str().ok_or(BAD)?.to_owned();
            let record = serde_json::from_slice(value).map_err(|_| BAD)?;
            self.logs.insert(name, (record, Frontier::new()));
        } else if table.name() == PAIR_LEAVES.name() {
            let (log, seq) = key
                .get(0)
                .and_then(Value::as_str)
                .zip(key.get(1).and_then(Value::as_u64))
                .ok_or(BAD)?;
            let leaf: String = serde_json::from_slice(value).map_err(|_| BAD)?;
            let leaf = hex::decode(leaf).map_err(|_| BAD)?;
            let (_, tree) = self.logs.get_mut(log).ok_or(BAD)?;
            if tree.size() != seq {
                return Err(fault(log, "a fact is missing"));
            }
            tree.append(leaf_hash(&leaf));
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Vec<BackupPairLog>, BackupError> {
        let check = |(name, (record, tree)): (&String, &(PairLogRecord, Frontier))| {
            let (peer, direction) = name.split_once('/').unwrap_or((name, ""));
            let same = match hex::decode(&record.tree).ok().as_deref() {
                Some([]) => tree.size() == 0,
                Some(stored) => Frontier::from_bytes(stored).is_some_and(|stored| stored == *tree),
                None => false,
            };
            if !same {
                return Err(fault(name, "the facts do not give the stored root"));
            }
            Ok(BackupPairLog {
                peer: peer.to_owned(),
                direction: direction.to_owned(),
                facts: tree.size(),
                root: hex::encode(tree.root()),
                countersigned: self
                    .is_countersigned(peer, record, tree)
                    .map_err(|why| fault(name, why))?,
            })
        };
        self.logs.iter().map(check).collect()
    }

    /// Whether the last checkpoint is of this tree with the signatures of both; of a peer whose card is gone, nobody
    /// can say.
    fn is_countersigned(
        &self,
        peer: &str,
        record: &PairLogRecord,
        tree: &Frontier,
    ) -> Result<bool, &'static str> {
        let Some(note) = &record.note else {
            return if tree.size() == 0 {
                Ok(false)
            } else {
                Err("there is no checkpoint over its facts")
            };
        };
        let signed = SignedNote::parse(note).map_err(|_| "its checkpoint cannot be read")?;
        let checkpoint =
            Checkpoint::parse(signed.text()).map_err(|_| "its checkpoint cannot be read")?;
        if checkpoint.size() != tree.size() || *checkpoint.root() != tree.root() {
            return Err("its checkpoint is of another state");
        }
        let by = |key: &NodeKey| {
            VerifyingKey::from_bytes(&key.0)
                .is_ok_and(|verifying| signed.verify(&key.to_string(), &verifying).is_ok())
        };
        if !self.own.iter().any(by) {
            return Err("its checkpoint is not signed by this node");
        }
        match self.peers.get(peer) {
            None => Ok(false),
            Some(keys) if keys.iter().any(by) => Ok(true),
            Some(_) => Err("its checkpoint is not signed by the peer"),
        }
    }
}

fn fault(log: &str, fault: &'static str) -> BackupError {
    BackupError::PairLog {
        log: log.to_owned(),
        fault,
    }
}
