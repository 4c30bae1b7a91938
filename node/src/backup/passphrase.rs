//! The file key of a backup under a passphrase.
//!
//! ```text
//!  sealed = u32 memory in KiB ‖ u32 passes ‖ u32 lanes ‖ salt (16) ‖ ChaCha20-Poly1305(Argon2id(…); file key)
//! ```
//! Argon2id is RFC 9106. The costs stand in the file, so that they can be raised later; they are authenticated, and
//! bounded before any memory is taken for them.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
pub(super) use mandorla_control::Passphrase;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::error::BackupError;

/// RFC 9106 section 4, second recommendation: 64 MiB, 3 passes, 4 lanes. Tests seal many files, and cheaply.
const COSTS: Costs = if cfg!(test) {
    Costs {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    }
} else {
    Costs {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 4,
    }
};
/// Nobody makes a node take more than this for a file that it is given: 1 GiB, 64 passes.
const COSTS_MAX: Costs = Costs {
    memory_kib: 1024 * 1024,
    passes: 64,
    lanes: 16,
};
/// Fewer characters are guessed offline, whatever the hash costs.
pub(super) const CHARACTERS_MIN: usize = 12;

const COSTS_BYTES: usize = 12;
const SALT_BYTES: usize = 16;

#[derive(Clone, Copy)]
struct Costs {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Costs {
    fn to_bytes(self) -> [u8; COSTS_BYTES] {
        let mut bytes = [0; COSTS_BYTES];
        let numbers = [self.memory_kib, self.passes, self.lanes];
        for (place, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: [u8; COSTS_BYTES]) -> Option<Self> {
        let number =
            |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let costs = Self {
            memory_kib: number(0),
            passes: number(4),
            lanes: number(8),
        };
        let bounded = costs.memory_kib <= COSTS_MAX.memory_kib
            && costs.passes <= COSTS_MAX.passes
            && costs.lanes <= COSTS_MAX.lanes;
        bounded.then_some(costs)
    }

    fn derive(self, passphrase: &Passphrase, salt: &[u8]) -> Option<ChaCha20Poly1305> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).ok()?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice())
            .ok()?;
        Some(ChaCha20Poly1305::new(&Key::from(*key)))
    }
}

/// Seals a file key.
///
/// # Errors
/// [`BackupError::WeakPassphrase`].
pub(super) fn seal(
    key: &[u8; 32],
    passphrase: &Passphrase,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, BackupError> {
    if passphrase.characters() < CHARACTERS_MIN {
        return Err(BackupError::WeakPassphrase);
    }
    let mut salt = [0; SALT_BYTES];
    rng.fill_bytes(&mut salt);
    let costs = COSTS.to_bytes();
    let cipher = COSTS
        .derive(passphrase, &salt)
        .expect("the costs are within Argon2's bounds");
    // The salt is fresh, so the derived key seals this once.
    let mut sealed = Vec::with_capacity(48);
    sealed.extend_from_slice(key);
    cipher
        .encrypt_in_place(&Nonce::default(), &costs, &mut sealed)
        .expect("32 bytes are far below the cipher's limit");
    Ok([&costs[..], &salt, &sealed].concat())
}

/// Opens a file key.
///
/// # Errors
/// [`BackupError::WrongPassphrase`], also for a header that was altered: the two cannot be told apart.
pub(super) fn open(
    sealed: &[u8],
    passphrase: &Passphrase,
) -> Result<Zeroizing<[u8; 32]>, BackupError> {
    let opened = || {
        let (costs, rest) = sealed.split_first_chunk::<COSTS_BYTES>()?;
        let (salt, sealed) = rest.split_first_chunk::<SALT_BYTES>()?;
        let cipher = Costs::from_bytes(*costs)?.derive(passphrase, salt)?;
        let mut key = Zeroizing::new(sealed.to_vec());
        cipher
            .decrypt_in_place(&Nonce::default(), costs, &mut *key)
            .ok()?;
        Some(Zeroizing::new(key.as_slice().try_into().ok()?))
    };
    opened().ok_or(BackupError::WrongPassphrase)
}
