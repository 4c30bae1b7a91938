//! The node's keys: a file of their own, outside the database, so that no copy of the database holds a secret key.
//!
//! ```text
//!  keys.toml   schema = 2
//!              seal = "passphrase" | "credential" | "none"
//!              keys = hexadecimal: the seeds, sealed for this purpose (node/src/seal.rs); as they are if seal = "none"
//!  seeds       signing (32) ‖ transport (32) ‖ release (32)
//! ```

mod file;

use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use mandorla_control::ErrorCode;
use mandorla_protocol::{NodeKey, NodeSigner, ReleaseSigner};
use mandorla_transport::{PeerKey, TransportKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::permissions::PermissionError;
use crate::seal::{Seal, SealError, SealKind};

pub(crate) use self::file::KEYS_NAME;

/// Three ed25519 seeds.
const SEEDS_BYTES: usize = 96;

/// The keys of a node.
pub struct Identity {
    /// Signs terms, acknowledgements, answers, the ledger.
    pub signer: NodeSigner,
    /// Authenticates connections.
    pub transport: TransportKey,
    release_seed: Zeroizing<[u8; 32]>,
    sealed: Option<SealKind>,
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others than the owner can read the file.
    #[error(transparent)]
    Permission(#[from] PermissionError),
    /// The file is not a key file.
    #[error("{path} is not a key file of this version")]
    Invalid {
        /// The file.
        path: PathBuf,
    },
    /// The keys are sealed and no secret was given.
    #[error("{path} is sealed under a {kind}, and none was given")]
    SecretNeeded {
        /// The file.
        path: PathBuf,
        /// What opens it.
        kind: SealKind,
    },
    /// The secret that was given does not open the keys.
    #[error("{path}: {source}")]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SealError,
    },
}

impl IdentityError {
    /// The code that the command line reports it under.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Permission(_) => ErrorCode::OpenToOthers,
            Self::SecretNeeded { .. } => ErrorCode::SecretNeeded,
            Self::Sealed { source, .. } => source.code(),
            Self::Io { .. } | Self::Invalid { .. } => ErrorCode::Storage,
        }
    }

    /// The next command.
    pub fn hint(&self) -> String {
        match self {
            Self::Permission(error) => error.hint(),
            Self::SecretNeeded { kind: SealKind::Passphrase, .. } => {
                "give it with --passphrase-file FILE, as the service credential mandorla.passphrase, or at a terminal".to_owned()
            }
            Self::SecretNeeded { kind: SealKind::Credential, .. } => {
                "give it with --wrapping-key FILE, or as the service credential mandorla.key".to_owned()
            }
            Self::Sealed { source, .. } => source.hint(),
            Self::Io { .. } | Self::Invalid { .. } => {
                "look at free space, owner and mode of the data directory; else put keys.toml back from a copy".to_owned()
            }
        }
    }
}

/// How the keys in a data directory are sealed; `None` if they are not.
pub fn seal_of(data_dir: &Path) -> Result<Option<SealKind>, IdentityError> {
    file::KeyFile::read(data_dir)?.kind()
}

/// How a copy of a key file is sealed; `None` if it is not.
pub fn seal_of_copy(path: &Path) -> Result<Option<SealKind>, IdentityError> {
    file::KeyFile::read_at(path.to_owned())?.kind()
}

impl Identity {
    /// Makes new keys and writes them, sealed or not; refuses to replace any.
    pub fn create(
        data_dir: &Path,
        seal: Option<&Seal>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, IdentityError> {
        let mut seeds = Zeroizing::new([0; SEEDS_BYTES]);
        rng.fill_bytes(seeds.as_mut_slice());
        file::create(data_dir, &seeds, seal, rng)?;
        Ok(Self::of_seeds(&seeds, seal.map(Seal::kind)))
    }

    /// Reads the keys and opens them with `seal`, which may be given without need; refuses a file that others could
    /// read.
    pub fn read(data_dir: &Path, seal: Option<&Seal>) -> Result<Self, IdentityError> {
        let file = file::KeyFile::read(data_dir)?;
        let kind = file.kind()?;
        let seeds = file.open(seal)?;
        Ok(Self::of_seeds(&seeds, kind))
    }

    /// Reads a copy of the key file that is not in the data directory.
    pub(crate) fn read_copy(path: &Path, seal: Option<&Seal>) -> Result<Self, IdentityError> {
        let file = file::KeyFile::read_at(path.to_owned())?;
        let kind = file.kind()?;
        let seeds = file.open(seal)?;
        Ok(Self::of_seeds(&seeds, kind))
    }

    /// Writes these keys anew, in one step, sealed or not.
    pub(crate) fn write_sealed(
        &self,
        data_dir: &Path,
        seal: Option<&Seal>,
        rng: &mut impl CryptoRng,
    ) -> Result<(), IdentityError> {
        let mut seeds = Zeroizing::new([0; SEEDS_BYTES]);
        let parts = [
            self.signer.signing_key().as_bytes(),
            self.transport.seed(),
            &*self.release_seed,
        ];
        for (place, seed) in seeds.chunks_exact_mut(32).zip(parts) {
            place.copy_from_slice(seed);
        }
        file::replace(data_dir, &seeds, seal, rng)
    }

    fn of_seeds(seeds: &[u8; SEEDS_BYTES], sealed: Option<SealKind>) -> Self {
        let (seeds, _) = seeds.as_chunks::<32>();
        Self {
            signer: NodeSigner::from_seed(&seeds[0]),
            transport: TransportKey::from_seed(seeds[1]),
            release_seed: Zeroizing::new(seeds[2]),
            sealed,
        }
    }

    /// How the key file is sealed; `None` if it is not.
    pub fn sealed(&self) -> Option<SealKind> {
        self.sealed
    }

    /// Public signing key.
    pub fn node_key(&self) -> NodeKey {
        self.signer.public()
    }

    /// Public transport key.
    pub fn transport_key(&self) -> PeerKey {
        self.transport.public()
    }

    /// Public release key.
    pub fn release_key(&self) -> [u8; 32] {
        ReleaseSigner::from_seed(&self.release_seed).public()
    }

    /// A copy of the signing key for the ledger's checkpoints.
    pub fn ledger_key(&self) -> SigningKey {
        self.signer.signing_key().clone()
    }

    /// The release key itself: for the review desk alone.
    pub(crate) fn desk_signer(&self) -> ReleaseSigner {
        ReleaseSigner::from_seed(&self.release_seed)
    }
}

#[cfg(test)]
mod tests;
