//! The node's keys: a file of their own, outside the database, so that no copy of the database holds a secret key.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use mandorla_protocol::{NodeKey, NodeSigner, ReleaseSigner};
use mandorla_transport::{PeerKey, TransportKey};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// File name in the data directory.
const KEYS_NAME: &str = "keys.toml";

/// The keys of a node.
pub struct Identity {
    /// Signs terms, acknowledgements, answers, the ledger.
    pub signer: NodeSigner,
    /// Authenticates connections.
    pub transport: TransportKey,
    release_seed: Zeroizing<[u8; 32]>,
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
    #[error("{path} has mode {mode:03o}: others than its owner could read the keys (chmod 600)")]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file is not a key file.
    #[error("{path} is not a key file of this version")]
    Invalid {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    schema: u32,
    signing: Zeroizing<String>,
    transport: Zeroizing<String>,
    release: Zeroizing<String>,
}

impl Identity {
    /// Makes new keys and writes them; refuses to replace any.
    pub fn create(data_dir: &Path, rng: &mut impl CryptoRng) -> Result<Self, IdentityError> {
        let path = data_dir.join(KEYS_NAME);
        let mut seed = || {
            let mut seed = Zeroizing::new([0; 32]);
            rng.fill_bytes(seed.as_mut_slice());
            Zeroizing::new(hex::encode(*seed))
        };
        let file = KeyFile {
            schema: 1,
            signing: seed(),
            transport: seed(),
            release: seed(),
        };
        let text = Zeroizing::new(toml::to_string(&file).expect("four plain fields"));
        let write = || {
            let mut out = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            std::fs::File::open(data_dir)?.sync_all()
        };
        write().map_err(|source| IdentityError::Io {
            path: path.clone(),
            source,
        })?;
        Self::from_file(&file).ok_or(IdentityError::Invalid { path })
    }

    /// Reads the keys; refuses a file that others could read.
    pub fn read(data_dir: &Path) -> Result<Self, IdentityError> {
        let path = data_dir.join(KEYS_NAME);
        let io = |source| IdentityError::Io {
            path: path.clone(),
            source,
        };
        let mode = std::fs::metadata(&path).map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(IdentityError::OpenToOthers { path, mode });
        }
        let text = Zeroizing::new(std::fs::read_to_string(&path).map_err(io)?);
        toml::from_str(&text)
            .ok()
            .and_then(|file| Self::from_file(&file))
            .ok_or(IdentityError::Invalid { path })
    }

    fn from_file(file: &KeyFile) -> Option<Self> {
        let seed = |text: &str| {
            let mut seed = Zeroizing::new([0; 32]);
            hex::decode_to_slice(text, seed.as_mut_slice()).ok()?;
            Some(seed)
        };
        (file.schema == 1).then_some(())?;
        Some(Self {
            signer: NodeSigner::from_seed(&*seed(&file.signing)?),
            transport: TransportKey::from_seed(*seed(&file.transport)?),
            release_seed: seed(&file.release)?,
        })
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
