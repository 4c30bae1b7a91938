//! An export, verified by itself: no node, no database, only the file.
//!
//! ```text
//!   {"header": …}                       keys, agreements, pair logs, the checkpoint over everything
//!   {"hash": {"seq": 0, …}}             an entry that was left out
//!   {"leaf": {"seq": 1, "leaf": "…"}}   an entry: the exact bytes that its hash covers
//!   {"checkpoint": {"size": 2, …}}      behind the entry that it ends with
//!   {"fact": {"log": 0, "seq": 0, …}}   leaves of the pair logs, by their number in the header
//!   {"end": {"lines": 6, "sha256": …}}  lines before it, and the digest of their bytes
//! ```

mod lines;

use std::collections::BTreeSet;
use std::io::{self, BufRead};

use ed25519_dalek::VerifyingKey;
use mandorla_agreement::{Agreement, agreement_hash};
use mandorla_control::{EntryProof, ExportHeader};
use mandorla_protocol::checkpoint::{Checkpoint, SignedNote};
use mandorla_protocol::merkle::{Frontier, Hash, leaf_hash, verify_inclusion};
use mandorla_protocol::{FactLeaf, NodeKey, PairLog};
use mandorla_store::{LedgerEntry, LedgerVerifier};
use serde::Serialize;

use self::lines::{Lines, invalid};
use crate::records::round::Side;

pub use self::lines::BundleLine;

/// [`ExportHeader::format`].
pub const EXPORT_FORMAT: &str = "mandorla-ledger-export";
/// [`EntryProof::format`].
pub const PROOF_FORMAT: &str = "mandorla-entry-proof";

/// Faults listed; there is no use in more.
const FAULTS_MAX: usize = 100;

/// What an export amounts to.
#[derive(Clone, Debug, Serialize)]
pub struct BundleReport {
    /// Always 1.
    pub schema: u32,
    /// No fault found.
    pub verified: bool,
    /// Party code of the node, as the file says.
    pub node: String,
    /// Signing keys, as the file says: to be compared with the node's card.
    pub keys: Vec<String>,
    /// When it was made.
    pub exported_at: u64,
    /// Entries in all.
    pub entries: u64,
    /// The first that is there in full.
    pub first: u64,
    /// Root over all entries, hexadecimal.
    pub root: String,
    /// Checkpoints whose signatures verified.
    pub checkpoints: u64,
    /// Pair logs, and facts in all of them.
    pub pair_logs: usize,
    /// Facts.
    pub facts: u64,
    /// Agreements in the file.
    pub agreements: usize,
    /// Hashes of agreements that entries name and that the file does not have.
    pub agreements_missing: Vec<String>,
    /// Faults, each naming its entry or fact.
    pub faults: Vec<String>,
}

/// Verifies an export. `known`: a checkpoint note of the same ledger that was kept elsewhere. `key`: the node's present
/// signing key, where the reader knows it from the card.
///
/// # Errors
/// The file cannot be read, or is no export at all. What is wrong with one is a fault of the report.
pub fn verify_bundle(
    file: impl BufRead,
    known: Option<&str>,
    key: Option<&str>,
) -> io::Result<BundleReport> {
    let mut lines = Lines::new(file);
    let header = match lines.next()? {
        Some(BundleLine::Header(header))
            if header.format == EXPORT_FORMAT && header.schema == 1 =>
        {
            *header
        }
        _ => return Err(invalid("the file is no export of a ledger")),
    };
    let mut check = Check::new(header, known, key)?;
    while let Some(line) = lines.next()? {
        check.line(line, &lines);
        if check.ended {
            if lines.next()?.is_some() {
                check.fault("there are lines behind the end".to_owned());
            }
            break;
        }
    }
    Ok(check.finish())
}

/// A pair log under way.
struct LogCheck {
    name: String,
    log: PairLog,
    size: u64,
    note: Option<String>,
}

struct Check {
    header: ExportHeader,
    verifier: LedgerVerifier,
    known: Option<Checkpoint>,
    tree: Frontier,
    checkpoints: u64,
    logs: Vec<LogCheck>,
    agreements: BTreeSet<String>,
    named: BTreeSet<String>,
    faults: Vec<String>,
    ended: bool,
}

impl Check {
    fn new(header: ExportHeader, known: Option<&str>, key: Option<&str>) -> io::Result<Self> {
        let keys = header.keys.iter().map(|key| verifying_key(key));
        let keys = keys
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| invalid("the header names a signing key that is none"))?;
        let verifier = LedgerVerifier {
            node_name: header.node.clone(),
            keys,
        };
        let mut faults = Vec::new();
        if let Some(key) = key
            && !is_signed_by(&header.node, header.size, &header.checkpoint, key)
        {
            faults.push(format!("the file is not signed by key {key}"));
        }
        let known = known.and_then(|note| match known_checkpoint(&verifier, note) {
            Ok(known) => Some(known),
            Err(why) => {
                faults.push(format!("the checkpoint kept elsewhere: {why}"));
                None
            }
        });
        let logs = header.pair_logs.iter().map(|log| {
            let key = |text: &str| {
                text.parse::<NodeKey>()
                    .map_err(|_| invalid("a pair log names a key that is none"))
            };
            let name = format!("pair log {}, {}", log.peer, log.direction);
            let own = match Side::of_direction(&log.direction) {
                Some(Side::Requester) => &log.requester,
                _ => &log.responder,
            };
            if !header.keys.contains(own) {
                faults.push(format!("{name}: {own} is no key of this node"));
            }
            Ok::<_, io::Error>(LogCheck {
                name,
                log: PairLog::new(key(&log.requester)?, key(&log.responder)?),
                size: log.size,
                note: log.note.clone(),
            })
        });
        let logs = logs.collect::<io::Result<Vec<_>>>()?;
        let mut check = Self {
            verifier,
            known,
            tree: Frontier::new(),
            checkpoints: 0,
            logs,
            agreements: BTreeSet::new(),
            named: BTreeSet::new(),
            faults,
            ended: false,
            header,
        };
        check.agreements();
        check.compare_known();
        Ok(check)
    }

    fn fault(&mut self, fault: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    fn agreements(&mut self) {
        for (index, papers) in self.header.agreements.clone().iter().enumerate() {
            let text = papers.text.as_bytes();
            self.agreements.insert(hex::encode(agreement_hash(text)));
            match Agreement::parse(text) {
                Err(error) => self.fault(format!("agreement {index} is none: {error}")),
                Ok(agreement) => {
                    if let Err(error) = crate::agreements::verify_all(&agreement, papers) {
                        self.fault(format!("agreement {}: {}", agreement.id(), error.message));
                    }
                }
            }
        }
    }

    fn line<R: BufRead>(&mut self, line: BundleLine, lines: &Lines<R>) {
        match line {
            BundleLine::Header(_) => self.fault("there is a second header".to_owned()),
            BundleLine::Hash { seq, hash } => {
                if seq >= self.header.first {
                    self.fault(format!("entry {seq} was left out"));
                }
                match parse_hash(&hash) {
                    Some(hash) => self.append(seq, hash),
                    None => self.fault(format!("the hash of entry {seq} is none")),
                }
            }
            BundleLine::Leaf { seq, leaf } => self.entry(seq, &leaf),
            BundleLine::Checkpoint { size, note } => self.checkpoint(size, &note),
            BundleLine::Fact { log, seq, leaf } => self.fact(log, seq, &leaf),
            BundleLine::End {
                lines: count,
                sha256,
            } => {
                self.ended = true;
                let found = lines.count_before();
                if count != found {
                    self.fault(format!("{count} lines were written, {found} are here"));
                }
                if sha256 != lines.sha256_before() {
                    self.fault("the file was changed after it was written".to_owned());
                }
            }
        }
    }

    fn append(&mut self, seq: u64, hash: Hash) {
        let due = self.tree.size();
        if seq != due {
            self.fault(format!(
                "entry {due} is missing: entry {seq} stands in its place"
            ));
        }
        self.tree.append(hash);
        self.compare_known();
    }

    fn entry(&mut self, seq: u64, leaf: &str) {
        match serde_json::from_str::<LedgerEntry>(leaf) {
            Err(_) => self.fault(format!("entry {seq} is not a ledger entry")),
            Ok(entry) => {
                if entry.seq != seq {
                    self.fault(format!("entry {seq} claims to be entry {}", entry.seq));
                }
                if entry.node != self.header.node {
                    self.fault(format!("entry {seq} is of another node"));
                }
                self.named
                    .extend(entry.agreement.map(|agreement| agreement.hash));
            }
        }
        self.append(seq, leaf_hash(leaf.as_bytes()));
    }

    fn checkpoint(&mut self, size: u64, note: &str) {
        let reached = self.tree.size();
        if size != reached {
            return self.fault(format!(
                "the checkpoint for size {size} stands behind entry {}",
                reached.saturating_sub(1)
            ));
        }
        match self.verifier.check(size, note) {
            Err(fault) => self.fault(fault.to_string()),
            Ok(signed) if *signed.root() != self.tree.root() => self.fault(format!(
                "the entries before size {size} do not have the signed root: at least one since the last good checkpoint was altered"
            )),
            Ok(_) => self.checkpoints += 1,
        }
    }

    fn fact(&mut self, log: usize, seq: u64, leaf: &str) {
        let bytes = hex::decode(leaf).unwrap_or_default();
        let Some(check) = self.logs.get_mut(log) else {
            return self.fault(format!(
                "fact {seq} is of pair log {log}, which the header lacks"
            ));
        };
        let due = check.log.tree().size();
        let name = check.name.clone();
        check.log.append(&bytes);
        if seq != due {
            self.fault(format!("{name}: fact {due} is missing"));
        }
        if FactLeaf::parse(&bytes).is_none() {
            self.fault(format!("{name}: fact {seq} is no fact"));
        }
    }

    fn compare_known(&mut self) {
        let size = self.tree.size();
        if let Some(known) = self.known.take_if(|known| known.size() == size)
            && *known.root() != self.tree.root()
        {
            self.fault(format!(
                "the ledger had another content at size {size}: its history was rewritten"
            ));
        }
    }

    fn finish(mut self) -> BundleReport {
        if !self.ended {
            self.fault("the file has no end: it was cut off".to_owned());
        }
        let (size, entries) = (self.header.size, self.tree.size());
        if entries != size {
            self.fault(format!("the file has {entries} of {size} entries"));
        }
        match self.verifier.check(size, &self.header.checkpoint) {
            Err(fault) => self.fault(fault.to_string()),
            Ok(signed) if *signed.root() != self.tree.root() => {
                self.fault(format!(
                    "the entries do not have the root signed for size {size}"
                ));
            }
            Ok(_) => {}
        }
        if let Some(known) = self.known.take() {
            let signed = known.size();
            self.fault(format!(
                "the ledger ends after {entries} entries, but {signed} were signed: it was cut off or rolled back"
            ));
        }
        let mut facts = 0;
        for check in std::mem::take(&mut self.logs) {
            facts += check.log.tree().size();
            if let Err(why) = check_log(&check) {
                self.fault(format!("{}: {why}", check.name));
            }
        }
        let missing = self.named.difference(&self.agreements).cloned();
        BundleReport {
            schema: 1,
            verified: self.faults.is_empty(),
            entries,
            first: self.header.first,
            root: hex::encode(self.tree.root()),
            checkpoints: self.checkpoints,
            pair_logs: self.header.pair_logs.len(),
            facts,
            agreements: self.header.agreements.len(),
            agreements_missing: missing.collect(),
            faults: self.faults,
            node: self.header.node,
            keys: self.header.keys,
            exported_at: self.header.exported_at,
        }
    }
}

fn check_log(check: &LogCheck) -> Result<(), String> {
    let tree = check.log.tree();
    if tree.size() != check.size {
        return Err(format!("{} of {} facts are here", tree.size(), check.size));
    }
    match &check.note {
        None if check.size == 0 => Ok(()),
        None => Err("nobody signed it".to_owned()),
        Some(note) => {
            let signed = check
                .log
                .verify_note(note)
                .map_err(|fault| fault.to_string())?;
            if signed.size() != tree.size() || *signed.root() != tree.root() {
                return Err("the facts do not have the root that both nodes signed".to_owned());
            }
            Ok(())
        }
    }
}

/// Verifies a proof of one entry; gives the entry.
///
/// # Errors
/// What is wrong with it, in words.
pub fn verify_entry_proof(proof: &EntryProof, key: Option<&str>) -> Result<LedgerEntry, String> {
    if proof.format != PROOF_FORMAT || proof.schema != 1 {
        return Err("the file is no proof of a ledger entry".to_owned());
    }
    let keys = proof.keys.iter().map(|key| verifying_key(key));
    let verifier = LedgerVerifier {
        node_name: proof.node.clone(),
        keys: keys
            .collect::<Option<Vec<_>>>()
            .ok_or("the file names a signing key that is none")?,
    };
    if let Some(key) = key
        && !is_signed_by(&proof.node, proof.size, &proof.checkpoint, key)
    {
        return Err(format!("it is not signed by key {key}"));
    }
    let signed = verifier
        .check(proof.size, &proof.checkpoint)
        .map_err(|fault| fault.to_string())?;
    let path = proof.proof.iter().map(|hash| parse_hash(hash));
    let path = path
        .collect::<Option<Vec<_>>>()
        .ok_or("a hash of the proof is none")?;
    let hash = leaf_hash(proof.leaf.as_bytes());
    verify_inclusion(&hash, proof.seq, proof.size, &path, signed.root())
        .map_err(|_| format!("entry {} is not in the ledger that was signed", proof.seq))?;
    let entry: LedgerEntry = serde_json::from_str(&proof.leaf)
        .map_err(|_| format!("entry {} is not a ledger entry", proof.seq))?;
    if entry.seq != proof.seq || entry.node != proof.node {
        return Err(format!(
            "the entry claims to be entry {} of {}",
            entry.seq, entry.node
        ));
    }
    Ok(entry)
}

/// Whether the reader's key itself signed the last checkpoint, which covers everything: keys that a file names beside it
/// prove nothing.
fn is_signed_by(node: &str, size: u64, checkpoint: &str, key: &str) -> bool {
    let verifier = verifying_key(key).map(|key| LedgerVerifier {
        node_name: node.to_owned(),
        keys: vec![key],
    });
    verifier.is_some_and(|verifier| verifier.check(size, checkpoint).is_ok())
}

fn known_checkpoint(verifier: &LedgerVerifier, note: &str) -> Result<Checkpoint, String> {
    let signed = SignedNote::parse(note).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::parse(signed.text()).map_err(|error| error.to_string())?;
    verifier
        .check(checkpoint.size(), note)
        .map_err(|fault| fault.to_string())
}

fn verifying_key(text: &str) -> Option<VerifyingKey> {
    let key: NodeKey = text.parse().ok()?;
    VerifyingKey::from_bytes(&key.0).ok()
}

fn parse_hash(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok()?;
    Some(hash)
}

#[cfg(test)]
mod tests;
