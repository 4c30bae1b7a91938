//! `mandorla backup …`.
//!
//! `create` is answered by a stream, because a backup may be larger than any memory:
//!
//! ```text
//!  reply ──► frames: u8 kind ‖ u32 length, little-endian ‖ bytes
//!            kind 0: the next bytes of the file
//!            kind 1: BackupView in JSON, the last frame of a whole file
//!            kind 2: an error in JSON, the last frame of one that is not
//! ```
//! A stream without a last frame broke off. Verifying and restoring are done without a node.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::role::Role;

/// Path of [`BackupCreate`].
pub const BACKUP_CREATE_PATH: &str = "/v1/backup/create";

/// Who may make a backup.
pub const BACKUP_CREATE_ROLES: &[Role] = &[Role::Operator];

/// Longest frame of the stream.
pub const BACKUP_FRAME_BYTES_MAX: u32 = 1 << 20;

/// A copy of everything that a restore needs, but for keys and other secrets, encrypted under a passphrase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupCreate {
    /// Opens the backup again.
    pub passphrase: Passphrase,
}

/// A passphrase: erased when it is dropped, and not printed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase as it was typed.
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// The passphrase as it was typed.
    pub fn into_text(self) -> Zeroizing<String> {
        self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// What a frame of the stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BackupFrame {
    /// The next bytes of the file.
    Data = 0,
    /// The [`BackupView`] of a whole file.
    Whole = 1,
    /// Why there is no whole file.
    Failed = 2,
}

impl BackupFrame {
    /// Reads a kind.
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Data, Self::Whole, Self::Failed]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }

    /// The head of a frame of this kind.
    pub fn head(self, length: u32) -> [u8; 5] {
        let mut head = [self as u8; 5];
        head[1..].copy_from_slice(&length.to_le_bytes());
        head
    }
}

/// What is in a backup. It holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupView {
    /// Always 1.
    pub schema: u32,
    /// Party code of the node.
    pub node: String,
    /// When it was made, Unix seconds.
    pub created_at: u64,
    /// Version of the program that made it.
    pub program: String,
    /// The node's public signing key, hexadecimal.
    pub signing_key: String,
    /// Ledger entries.
    pub ledger_entries: u64,
    /// Root over them, hexadecimal.
    pub ledger_root: String,
    /// Rows per table.
    pub contents: Vec<BackupPart>,
    /// Pair logs.
    pub pair_logs: Vec<BackupPairLog>,
    /// Rounds that were open and end with a restore.
    pub open_rounds: u64,
    /// What is not in it, and why.
    pub left_out: Vec<BackupGap>,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file, hexadecimal.
    pub file_digest: String,
}

/// A pair log in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPairLog {
    /// Party code of the peer.
    pub peer: String,
    /// `asked-by-us` or `asked-by-them`.
    pub direction: String,
    /// Facts.
    pub facts: u64,
    /// Root over them, hexadecimal.
    pub root: String,
    /// Whether both nodes have signed the last checkpoint.
    pub countersigned: bool,
}

/// Rows of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPart {
    /// Which.
    pub what: String,
    /// How many.
    pub rows: u64,
}

/// Something that is not in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupGap {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What a restore made of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRestored {
    /// Always 1.
    pub schema: u32,
    /// The data directory.
    pub data_dir: String,
    /// The backup.
    pub backup: BackupView,
    /// Rounds that were open and have ended.
    pub rounds_ended: Vec<String>,
    /// Quotas of periods that reach back to this moment count as used up, Unix seconds.
    pub spent_until: u64,
    /// Peers whose pair logs must be reconciled before the next round with them.
    pub reconcile: Vec<String>,
}
