//! Sealing what must not lie on a disk in the clear: under a passphrase, or under a wrapping key from outside.
//!
//! ```text
//!  sealed = header (61) ‖ ciphertext ‖ tag (16) ‖ checksum (8)
//!  header:  0  "mdlseal1"                        9  Argon2id memory in KiB, u32 BE  ┐
//!           8  kind: 1 passphrase               13  passes, u32 BE                  ├ 0 with a wrapping key
//!                    2 wrapping key             17  lanes, u32 BE                   ┘
//!          21  salt (16)                        37  nonce (24)
//!  key      Argon2id (RFC 9106) of the passphrase, or HKDF-SHA256 (RFC 5869) of the wrapping key; with the salt
//!  cipher   XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03); associated data = header ‖ purpose
//!  checksum first 8 bytes of SHA-256 of all before it
//! ```
//! The checksum is no protection: it tells a damaged file from a wrong secret, which the tag cannot.

mod error;
mod source;

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

pub use self::error::SealError;

const MAGIC: &[u8; 8] = b"mdlseal1";
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
const HEADER_BYTES: usize = 37 + NONCE_BYTES;
const TAG_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 8;
const HKDF_INFO: &[u8] = b"mandorla/1 seal";

/// RFC 9106, section 4, second recommended option: 64 MiB, three passes, four lanes. A node is opened seldom, and on
/// hosts that may be small.
const COST: Cost = Cost {
    memory_kib: 64 * 1_024,
    passes: 3,
    lanes: 4,
};
/// What a file may ask for: an altered header must not make the program take all memory or run for ever.
const COST_MAX: Cost = Cost {
    memory_kib: 2 * 1_024 * 1_024,
    passes: 16,
    lanes: 16,
};

/// Shortest passphrase: below, 64 MiB for each guess do not hold off a thief of the disk.
pub const PASSPHRASE_CHARS_MIN: usize = 12;
/// Longest passphrase: a whole page of text given by mistake is no passphrase.
pub const PASSPHRASE_BYTES_MAX: usize = 1_024;

/// How bytes are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealKind {
    /// Under a passphrase, by Argon2id.
    Passphrase,
    /// Under a 32-byte key that the service manager or a file outside the data directory provides.
    Credential,
}

impl SealKind {
    /// The word on the command line and in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::Credential => "credential",
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Passphrase => 1,
            Self::Credential => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Passphrase, Self::Credential]
            .into_iter()
            .find(|kind| kind.byte() == byte)
    }
}

impl fmt::Display for SealKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A secret that seals and opens. It is erased when dropped and never printed.
#[derive(Clone)]
pub struct Seal(Secret);

#[derive(Clone)]
enum Secret {
    Passphrase(Zeroizing<String>),
    WrappingKey(Zeroizing<[u8; 32]>),
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({})", self.kind())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Seal {
    /// Under a passphrase of [`PASSPHRASE_CHARS_MIN`] characters or more.
    ///
    /// # Errors
    /// [`SealError::PassphraseLength`].
    pub fn passphrase(passphrase: Zeroizing<String>) -> Result<Self, SealError> {
        let long_enough = passphrase.chars().count() >= PASSPHRASE_CHARS_MIN;
        if !long_enough || passphrase.len() > PASSPHRASE_BYTES_MAX {
            return Err(SealError::PassphraseLength);
        }
        Ok(Self(Secret::Passphrase(passphrase)))
    }

    /// Under a key of 32 random bytes.
    pub fn wrapping_key(key: Zeroizing<[u8; 32]>) -> Self {
        Self(Secret::WrappingKey(key))
    }

    /// Which of the two it is.
    pub fn kind(&self) -> SealKind {
        match self.0 {
            Secret::Passphrase(_) => SealKind::Passphrase,
            Secret::WrappingKey(_) => SealKind::Credential,
        }
    }

    /// Seals bytes for a purpose, with a fresh salt and nonce. They open only for the same purpose.
    pub fn seal(&self, purpose: &str, plaintext: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
        self.seal_at(COST, purpose, plaintext, rng)
    }

    fn seal_at(
        &self,
        cost: Cost,
        purpose: &str,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Vec<u8> {
        let cost = match self.kind() {
            SealKind::Passphrase => cost,
            SealKind::Credential => Cost::NONE,
        };
        let mut sealed =
            Vec::with_capacity(HEADER_BYTES + plaintext.len() + TAG_BYTES + CHECKSUM_BYTES);
        sealed.extend_from_slice(MAGIC);
        sealed.push(self.kind().byte());
        for value in [cost.memory_kib, cost.passes, cost.lanes] {
            sealed.extend_from_slice(&value.to_be_bytes());
        }
        let mut random = [0; SALT_BYTES + NONCE_BYTES];
        rng.fill_bytes(&mut random);
        sealed.extend_from_slice(&random);
        let key = self
            .key(cost, &random[..SALT_BYTES])
            .expect("the costs are within the bounds of Argon2");
        let nonce = XNonce::try_from(&random[SALT_BYTES..]).expect("24 bytes");
        let aad = [sealed.as_slice(), purpose.as_bytes()].concat();
        let payload = Payload {
            msg: plaintext,
            aad: &aad,
        };
        let ciphertext = XChaCha20Poly1305::new((&*key).into())
            .encrypt(&nonce, payload)
            .expect("far below the cipher's limit of 256 GiB");
        sealed.extend_from_slice(&ciphertext);
        let sum = checksum(&sealed);
        sealed.extend_from_slice(&sum);
        sealed
    }

    /// How bytes were sealed, without opening them.
    ///
    /// # Errors
    /// [`SealError::Damaged`].
    pub fn kind_of(sealed: &[u8]) -> Result<SealKind, SealError> {
        Header::parse(sealed).map(|header| header.kind)
    }

    /// Opens what [`Self::seal`] sealed for this purpose.
    ///
    /// # Errors
    /// [`SealError::Damaged`] if it is not whole, [`SealError::OtherKind`] if the other kind of secret is needed,
    /// [`SealError::WrongSecret`] if this one does not fit.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let header = Header::parse(sealed)?;
        if header.kind != self.kind() {
            return Err(SealError::OtherKind {
                sealed: header.kind,
                given: self.kind(),
            });
        }
        let key = self.key(header.cost, header.salt)?;
        let aad = [&sealed[..HEADER_BYTES], purpose.as_bytes()].concat();
        let payload = Payload {
            msg: header.ciphertext,
            aad: &aad,
        };
        let nonce = XNonce::try_from(header.nonce).expect("24 bytes");
        XChaCha20Poly1305::new((&*key).into())
            .decrypt(&nonce, payload)
            .map(Zeroizing::new)
            .map_err(|_| SealError::WrongSecret(header.kind))
    }

    fn key(&self, cost: Cost, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let mut key = Zeroizing::new([0; 32]);
        match &self.0 {
            Secret::Passphrase(passphrase) => {
                let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
                    .map_err(|_| SealError::Damaged)?;
                let mut memory = vec![Block::new(); params.block_count()];
                let derived = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into_with_memory(
                        passphrase.as_bytes(),
                        salt,
                        key.as_mut_slice(),
                        memory.as_mut_slice(),
                    );
                memory.iter_mut().for_each(Block::zeroize);
                derived.map_err(|_| SealError::Damaged)?;
            }
            Secret::WrappingKey(wrapping) => Hkdf::<Sha256>::new(Some(salt), wrapping.as_slice())
                .expand(HKDF_INFO, key.as_mut_slice())
                .expect("32 bytes are one block"),
        }
        Ok(key)
    }
}

impl Cost {
    /// Of a wrapping key, which is as long as what it is to make.
    const NONE: Self = Self {
        memory_kib: 0,
        passes: 0,
        lanes: 0,
    };

    fn fits(self, kind: SealKind) -> bool {
        match kind {
            SealKind::Credential => self == Self::NONE,
            SealKind::Passphrase => {
                self.memory_kib <= COST_MAX.memory_kib
                    && self.passes <= COST_MAX.passes
                    && self.lanes <= COST_MAX.lanes
            }
        }
    }
}

/// The parts of a sealed text whose checksum fits.
struct Header<'a> {
    kind: SealKind,
    cost: Cost,
    salt: &'a [u8],
    nonce: &'a [u8],
    ciphertext: &'a [u8],
}

impl<'a> Header<'a> {
    fn parse(sealed: &'a [u8]) -> Result<Self, SealError> {
        Self::parts(sealed).ok_or(SealError::Damaged)
    }

    fn parts(sealed: &'a [u8]) -> Option<Self> {
        let (body, sum) = sealed.split_at_checked(sealed.len().checked_sub(CHECKSUM_BYTES)?)?;
        let (header, ciphertext) = body.split_at_checked(HEADER_BYTES)?;
        (sum == checksum(body) && header.starts_with(MAGIC)).then_some(())?;
        let kind = SealKind::from_byte(header[8])?;
        let value = |at: usize| {
            let bytes = header[at..at + 4].try_into().expect("four bytes");
            u32::from_be_bytes(bytes)
        };
        let cost = Cost {
            memory_kib: value(9),
            passes: value(13),
            lanes: value(17),
        };
        cost.fits(kind).then_some(Self {
            kind,
            cost,
            salt: &header[21..21 + SALT_BYTES],
            nonce: &header[37..],
            ciphertext,
        })
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::digest(bytes);
    digest[..CHECKSUM_BYTES].try_into().expect("8 of 32 bytes")
}

#[cfg(test)]
mod tests;
