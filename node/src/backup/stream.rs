//! Encryption of a backup in chunks: nothing of a chunk is given out before it is known to be whole and in its place.
//!
//! ```text
//!  header   "mandorla backup\n" ‖ u32 version ‖ u32 length ‖ file key, sealed (node/src/seal.rs)
//!  chunk i  ChaCha20-Poly1305(file key; nonce = 0³ ‖ u64 i, big-endian ‖ last; header's SHA-256) of up to 64 KiB
//! ```
//! The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, "Online authenticated-encryption and its
//! nonce-reuse misuse-resistance", 2015): the index in the nonce fixes the order, the flag `last` the end, so that
//! chunks cannot be dropped, swapped or cut off; the file key is fresh, so that none can come from another file. All
//! chunks but the last are full.

use std::io::{self, Read, Write};

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::error::BackupError;
use crate::seal::{Seal, SealError};

const MAGIC: &[u8; 16] = b"mandorla backup\n";
/// Version of everything in the file.
pub(super) const VERSION: u32 = 1;
/// Plaintext of a full chunk: small beside any memory, large beside its tag.
const CHUNK_BYTES: usize = 64 * 1024;
const TAG_BYTES: usize = 16;
/// What the file key is sealed for.
const PURPOSE: &str = "mandorla/1 backup";
/// A sealed key has about a hundred bytes.
const SEALED_BYTES_MAX: u32 = 4096;

struct Chunks {
    cipher: ChaCha20Poly1305,
    header: [u8; 32],
    index: u64,
}

impl Chunks {
    fn new(key: &[u8; 32], header: &[u8]) -> Self {
        Self {
            cipher: ChaCha20Poly1305::new(&Key::from(*key)),
            header: Sha256::digest(header).into(),
            index: 0,
        }
    }

    fn nonce(&self, is_last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.index.to_be_bytes());
        nonce[11] = u8::from(is_last);
        nonce.into()
    }

    fn seal(&mut self, chunk: &mut Vec<u8>, is_last: bool) {
        let nonce = self.nonce(is_last);
        self.cipher
            .encrypt_in_place(&nonce, &self.header, chunk)
            .expect("a chunk is far below the cipher's limit");
        self.index += 1;
    }

    /// Opens the next chunk in place; leaves it as it was if it is not.
    fn open(&self, chunk: &mut Vec<u8>, is_last: bool) -> bool {
        let nonce = self.nonce(is_last);
        self.cipher
            .decrypt_in_place(&nonce, &self.header, chunk)
            .is_ok()
    }
}

/// Encrypts what is written to it. Without [`finish`](Self::finish) there is no last chunk, and the file is refused.
pub(super) struct SealedWriter<W> {
    inner: W,
    chunks: Chunks,
    /// Room for a chunk and its tag: it never grows, so no copy of its plaintext is left behind.
    pending: Zeroizing<Vec<u8>>,
}

impl<W: Write> SealedWriter<W> {
    /// Writes the header, with a fresh file key.
    pub(super) fn begin(
        mut inner: W,
        seal: &Seal,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, BackupError> {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(key.as_mut_slice());
        let sealed = seal.seal(PURPOSE, key.as_slice(), rng);
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&VERSION.to_le_bytes());
        let length = u32::try_from(sealed.len()).expect("a sealed key is short");
        header.extend_from_slice(&length.to_le_bytes());
        header.extend_from_slice(&sealed);
        inner.write_all(&header).map_err(BackupError::writing)?;
        Ok(Self {
            inner,
            chunks: Chunks::new(&key, &header),
            pending: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES)),
        })
    }

    /// Writes the last chunk and gives back what is written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.flush_chunk(true)?;
        self.inner.flush()?;
        Ok(self.inner)
    }

    fn flush_chunk(&mut self, is_last: bool) -> io::Result<()> {
        self.chunks.seal(&mut self.pending, is_last);
        self.inner.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk stays until more comes: it may be the last.
        if self.pending.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.flush_chunk(false)?;
        }
        let count = bytes.len().min(CHUNK_BYTES - self.pending.len());
        self.pending.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// Chunks leave when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decrypts a backup chunk by chunk.
pub(super) struct SealedReader<R> {
    inner: R,
    chunks: Chunks,
    current: Zeroizing<Vec<u8>>,
    at: usize,
    /// Read ahead, to know whether the chunk before it is the last.
    ahead: Option<u8>,
    ended: bool,
}

impl<R: Read> SealedReader<R> {
    /// Reads the header and opens the file key.
    pub(super) fn begin(mut inner: R, seal: &Seal) -> Result<Self, BackupError> {
        let mut header = vec![0; MAGIC.len() + 8];
        fill(&mut inner, &mut header, &|| BackupError::NotABackup)?;
        let number = |at: usize| {
            let bytes = header[at..at + 4].try_into().expect("four bytes");
            u32::from_le_bytes(bytes)
        };
        if &header[..MAGIC.len()] != MAGIC {
            return Err(BackupError::NotABackup);
        }
        let (version, length) = (number(MAGIC.len()), number(MAGIC.len() + 4));
        if version != VERSION {
            return Err(BackupError::OtherVersion { found: version });
        }
        if length > SEALED_BYTES_MAX {
            return Err(BackupError::HeaderDamaged);
        }
        let mut sealed = vec![0; length as usize];
        fill(&mut inner, &mut sealed, &|| BackupError::CutShort {
            chunks: 0,
        })?;
        let key = seal.open(PURPOSE, &sealed).map_err(|error| match error {
            SealError::Damaged => BackupError::HeaderDamaged,
            _ => BackupError::WrongPassphrase,
        })?;
        let key: &[u8; 32] = key
            .as_slice()
            .try_into()
            .map_err(|_| BackupError::HeaderDamaged)?;
        header.extend_from_slice(&sealed);
        Ok(Self {
            inner,
            chunks: Chunks::new(key, &header),
            current: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES)),
            at: 0,
            ahead: None,
            ended: false,
        })
    }

    /// Fills a buffer.
    ///
    /// # Errors
    /// The file is damaged or cut short, or has no more.
    pub(super) fn read_exact(&mut self, mut buffer: &mut [u8]) -> Result<(), BackupError> {
        while !buffer.is_empty() {
            if self.at == self.current.len() {
                self.next_chunk()?;
            }
            let count = buffer.len().min(self.current.len() - self.at);
            let (part, rest) = buffer.split_at_mut(count);
            part.copy_from_slice(&self.current[self.at..self.at + count]);
            self.at += count;
            buffer = rest;
        }
        Ok(())
    }

    /// Whether everything was read, to the end of the last chunk.
    pub(super) fn is_at_end(&self) -> bool {
        self.ended && self.at == self.current.len()
    }

    fn next_chunk(&mut self) -> Result<(), BackupError> {
        let chunk = self.chunks.index;
        if self.ended {
            return Err(BackupError::Content("it ends within an item"));
        }
        let sealed = &mut *self.current;
        sealed.clear();
        sealed.extend(self.ahead.take());
        let wanted = (CHUNK_BYTES + TAG_BYTES - sealed.len()) as u64;
        let reading = |source| BackupError::Reading { source };
        Read::by_ref(&mut self.inner)
            .take(wanted)
            .read_to_end(sealed)
            .map_err(reading)?;
        if sealed.is_empty() {
            return Err(BackupError::CutShort { chunks: chunk });
        }
        let mut next = [0];
        let is_last = sealed.len() < CHUNK_BYTES + TAG_BYTES || {
            let count = read_some(&mut self.inner, &mut next).map_err(reading)?;
            count == 0
        };
        if !is_last {
            self.ahead = Some(next[0]);
        }
        if !self.chunks.open(sealed, is_last) {
            // A chunk that is whole but not the last, at the end of the file: what comes after it is missing.
            let cut = is_last && self.chunks.open(sealed, false);
            return Err(if cut {
                BackupError::CutShort { chunks: chunk + 1 }
            } else {
                BackupError::Damaged { chunk }
            });
        }
        self.chunks.index += 1;
        self.at = 0;
        self.ended = is_last;
        if is_last && sealed.is_empty() && chunk > 0 {
            return Err(BackupError::Damaged { chunk });
        }
        Ok(())
    }
}

fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn fill(
    reader: &mut impl Read,
    buffer: &mut [u8],
    short: &dyn Fn() -> BackupError,
) -> Result<(), BackupError> {
    reader
        .read_exact(buffer)
        .map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => short(),
            _ => BackupError::Reading { source },
        })
}

#[cfg(test)]
mod tests;
