//! Checkpoints of Merkle logs, signed as notes: the C2SP specifications `tlog-checkpoint` and
//! `signed-note` with Ed25519 signatures.
//!
//! ```text
//! mandorla ledger north-border                       origin: which log
//! 42                                                 size of its tree, in decimal
//! qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=       root of that tree, in base64
//!                                                    (empty line)
//! — north-border x08go/ZJkuBS9UG/…                   base64(key id ‖ signature), one line per signer
//! ```
//!
//! A signature covers the text above the empty line, its last newline included. Several keys may
//! sign one note: that is how two nodes countersign the checkpoints of their pair log.
//!
//! Parsing is strict: whatever parses has one encoding, and the encoder produces it. Extension
//! lines, which `tlog-checkpoint` allows after the root, are refused, because no log here writes any.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::merkle::{HASH_BYTES, Hash};

/// Most bytes of a note that is parsed: a checkpoint takes about 300 with two signatures.
pub const NOTE_BYTES_MAX: usize = 16 * 1024;

/// Most signatures on a note: two nodes sign; the rest is room for witnesses and key changes.
pub const NOTE_SIGNATURES_MAX: usize = 16;

/// The signature type byte of Ed25519 in a key id (C2SP `signed-note`).
const ED25519_TYPE: u8 = 0x01;

const SIGNATURE_PREFIX: &str = "— ";

/// Names a key among those of the same name: `SHA-256(name ‖ "\n" ‖ 0x01 ‖ public key)[..4]`.
///
/// It finds the right signature line; it is too short to authenticate anything.
pub fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update(b"\n")
        .chain_update([ED25519_TYPE])
        .chain_update(key.as_bytes())
        .finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

/// The state of a log: which log, how many leaves, what root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
}

impl Checkpoint {
    /// A checkpoint of the log named `origin`.
    ///
    /// # Errors
    /// [`NoteError::Origin`] unless the origin is one non-empty line without control characters.
    pub fn new(origin: impl Into<String>, size: u64, root: Hash) -> Result<Self, NoteError> {
        let origin = origin.into();
        if origin.is_empty() || origin.chars().any(char::is_control) {
            return Err(NoteError::Origin);
        }
        Ok(Self { origin, size, root })
    }

    /// Which log this is a checkpoint of.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many leaves the log has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The Merkle root over them (see [`crate::merkle`]).
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// The note text: three lines, each ended by a newline.
    pub fn to_body(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            BASE64.encode(self.root)
        )
    }

    /// Parses exactly what [`to_body`](Self::to_body) writes.
    pub fn parse(body: &str) -> Result<Self, NoteError> {
        let mut lines = body
            .strip_suffix('\n')
            .ok_or(NoteError::Layout)?
            .split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::Layout);
        };
        let decimal = size.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = size.len() > 1 && size.starts_with('0');
        if !decimal || leading_zero {
            return Err(NoteError::Size);
        }
        let size = size.parse().map_err(|_| NoteError::Size)?;
        let root = decode_base64(root)
            .and_then(|bytes| <[u8; HASH_BYTES]>::try_from(bytes).ok())
            .ok_or(NoteError::Root)?;
        Self::new(origin, size, root)
    }

    /// The note with one signature.
    pub fn signed(&self, key: &SigningKey, name: &str) -> Result<SignedNote, NoteError> {
        let mut note = SignedNote::new(self.to_body())?;
        note.sign(key, name)?;
        Ok(note)
    }

    /// The signature line alone, newline included, to be added to a note that exists elsewhere.
    pub fn sign(&self, key: &SigningKey, name: &str) -> Result<String, NoteError> {
        Ok(self.signed(key, name)?.signatures[0].to_string())
    }

    /// Parses a whole note, checks the signature of `name` with `key`, and returns what it signed.
    /// Other signatures on the note are not looked at.
    pub fn verify(note: &str, name: &str, key: &VerifyingKey) -> Result<Self, NoteError> {
        let note = SignedNote::parse(note)?;
        note.verify(name, key)?;
        Self::parse(note.text())
    }
}

/// A text with the signatures of one or more keys (C2SP `signed-note`).
///
/// `Display` writes the note; [`parse`](Self::parse) reads it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// A note nobody has signed yet. The text is non-empty, ends in a newline and has no other
    /// control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        let clean = !text.chars().any(|c| c.is_control() && c != '\n');
        if text.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes: text.len() });
        }
        if !clean || !text.ends_with('\n') {
            return Err(NoteError::Layout);
        }
        Ok(Self {
            text,
            signatures: Vec::new(),
        })
    }

    /// What is signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures in the order of their lines. None of them is verified by being listed.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds the signature of `key` under the key name `name`.
    pub fn sign(&mut self, key: &SigningKey, name: &str) -> Result<(), NoteError> {
        check_name(name)?;
        self.add(NoteSignature {
            name: name.to_owned(),
            key_id: key_id(name, &key.verifying_key()),
            signature: key.sign(self.text.as_bytes()).to_bytes().to_vec(),
        })
    }

    /// Adds a signature line made elsewhere, as a countersignature that a peer sent. It is parsed, not verified.
    pub fn add_line(&mut self, line: &str) -> Result<(), NoteError> {
        let line = line.strip_suffix('\n').ok_or(NoteError::Layout)?;
        self.add(NoteSignature::parse(line)?)
    }

    /// Parses a whole note: the text, an empty line, and at least one signature line.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes: note.len() });
        }
        let gap = note.rfind("\n\n").ok_or(NoteError::Layout)?;
        let mut parsed = Self::new(&note[..=gap])?;
        let lines = note[gap + 2..]
            .strip_suffix('\n')
            .ok_or(NoteError::Layout)?;
        for line in lines.split('\n') {
            parsed.add(NoteSignature::parse(line)?)?;
        }
        Ok(parsed)
    }

    /// Checks that the note carries a signature of `name` that `key` verifies (RFC 8032, with
    /// the strict check that refuses malleable signatures and small-order keys).
    pub fn verify(&self, name: &str, key: &VerifyingKey) -> Result<(), NoteError> {
        check_name(name)?;
        let wanted = key_id(name, key);
        let found = self
            .signatures
            .iter()
            .find(|s| s.name == name && s.key_id == wanted);
        let found = found.ok_or(NoteError::NotSigned { key_id: wanted })?;
        let signature = Signature::from_slice(&found.signature);
        let verified = signature.and_then(|s| key.verify_strict(self.text.as_bytes(), &s));
        verified.map_err(|_| NoteError::BadSignature { key_id: wanted })
    }

    fn add(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.len() == NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        // Two lines of one key would leave open which of them counts.
        let twin = |s: &NoteSignature| s.name == signature.name && s.key_id == signature.key_id;
        if self.signatures.iter().any(twin) {
            return Err(NoteError::SignedTwice {
                key_id: signature.key_id,
            });
        }
        self.signatures.push(signature);
        Ok(())
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| signature.fmt(f))
    }
}

/// One signature line of a note. `Display` writes it with its newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    key_id: [u8; 4],
    /// 64 bytes for Ed25519; other lengths belong to signature types that are carried, not verified.
    signature: Vec<u8>,
}

impl NoteSignature {
    /// The key name the line claims.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key id the line claims.
    pub fn key_id(&self) -> [u8; 4] {
        self.key_id
    }

    fn parse(line: &str) -> Result<Self, NoteError> {
        let rest = line
            .strip_prefix(SIGNATURE_PREFIX)
            .ok_or(NoteError::Layout)?;
        let (name, encoded) = rest.split_once(' ').ok_or(NoteError::Layout)?;
        check_name(name)?;
        let bytes = decode_base64(encoded).ok_or(NoteError::Layout)?;
        match bytes.split_first_chunk() {
            Some((key_id, signature)) if !signature.is_empty() => Ok(Self {
                name: name.to_owned(),
                key_id: *key_id,
                signature: signature.to_vec(),
            }),
            _ => Err(NoteError::Layout),
        }
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id[..], &self.signature].concat();
        writeln!(
            f,
            "{SIGNATURE_PREFIX}{} {}",
            self.name,
            BASE64.encode(bytes)
        )
    }
}

/// Why a note or checkpoint was refused. Key ids are public.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a text, an empty line and signature lines, each ended by a newline.
    #[error("the note is not laid out as a text, an empty line and signature lines")]
    Layout,
    /// Longer than [`NOTE_BYTES_MAX`].
    #[error("the note has {bytes} bytes; at most {NOTE_BYTES_MAX} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// More than [`NOTE_SIGNATURES_MAX`] signatures.
    #[error("the note has more than {NOTE_SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// Two signature lines of one key.
    #[error("the note has two signatures of key {}", hex_id(*key_id))]
    SignedTwice {
        /// The key.
        key_id: [u8; 4],
    },
    /// A key name that is empty or contains white space, a control character or a plus sign.
    #[error(
        "a key name must be non-empty and without white space, control characters and plus signs"
    )]
    KeyName,
    /// No line of this key.
    #[error("the note has no signature of key {}", hex_id(*key_id))]
    NotSigned {
        /// The key looked for.
        key_id: [u8; 4],
    },
    /// The key's signature does not fit the text.
    #[error("the signature of key {} does not fit the note", hex_id(*key_id))]
    BadSignature {
        /// The key.
        key_id: [u8; 4],
    },
    /// An origin that is empty or has control characters.
    #[error("the origin of a checkpoint must be one non-empty line without control characters")]
    Origin,
    /// A size that is not a canonical decimal number below 2^64.
    #[error("the size of the checkpoint is not a canonical decimal number")]
    Size,
    /// A root that is not 32 bytes of canonical base64.
    #[error("the root of the checkpoint is not 32 bytes of base64")]
    Root,
}

fn hex_id(key_id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(key_id))
}

/// Key names as C2SP `signed-note` has them, and without control characters.
fn check_name(name: &str) -> Result<(), NoteError> {
    let refused = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.contains(refused) {
        Err(NoteError::KeyName)
    } else {
        Ok(())
    }
}

/// Base64 with its padding; other encodings of the same bytes are refused.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

#[cfg(test)]
mod tests;
