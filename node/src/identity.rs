//! The node's keys: a file of their own, outside the database, so that no copy of the database holds a secret key.
//!
//! ```text
//!  keys.toml   schema = 2
//!              seal = "passphrase" | "credential" | "none"
//!              keys = hexadecimal: the ring, sealed for this purpose (node/src/seal.rs); as it is if seal = "none"
//!  ring        of each key set: state (1) ‖ sequence, u32 BE ‖ until, u64 BE ‖ signing (32) ‖ transport (32) ‖ release (32)
//!              seeds; of a set that was erased or revoked, the public keys
//! ```
//! A process works with the key sets that it opened the file with; a change of the ring takes effect at the next start,
//! except that secret keys which are erased there are erased here too.

mod file;
mod ring;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ed25519_dalek::{SigningKey, VerifyingKey};
use mandorla_control::ErrorCode;
use mandorla_protocol::{NodeKey, NodeSigner, PublicKeys, ReleaseSigner};
use mandorla_transport::{PeerKey, TransportKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::permissions::PermissionError;
use crate::rounds::os_rng;
use crate::seal::{Seal, SealError, SealKind};

pub(crate) use self::file::KEYS_NAME;
pub(crate) use self::ring::{KeyState, Ring, RingKeys};

/// Three ed25519 seeds.
const SEEDS_BYTES: usize = 96;

/// One set of secret keys.
pub(crate) struct KeySet {
    sequence: u32,
    /// Signs terms, acknowledgements, answers, the ledger.
    pub(crate) signer: NodeSigner,
    /// Authenticates connections.
    pub(crate) transport: TransportKey,
    release_seed: Zeroizing<[u8; 32]>,
}

/// The keys of a node, as this process opened them.
pub struct Identity {
    current: Arc<KeySet>,
    /// Those that were current before and are not erased: rounds that name them run to their end.
    former: RwLock<Vec<Arc<KeySet>>>,
    /// Public keys of every set of this node that others may still rely on, the current one first.
    trusted: Vec<PublicKeys>,
    /// Signing keys that signed the ledger before.
    ledger_keys: Vec<VerifyingKey>,
    seal: Option<Seal>,
    data_dir: PathBuf,
    /// Held while the file is read, changed and written.
    changing: Mutex<()>,
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

impl KeySet {
    pub(crate) fn of_seeds(sequence: u32, seeds: &[u8; SEEDS_BYTES]) -> Self {
        let (seeds, _) = seeds.as_chunks::<32>();
        Self {
            sequence,
            signer: NodeSigner::from_seed(&seeds[0]),
            transport: TransportKey::from_seed(seeds[1]),
            release_seed: Zeroizing::new(seeds[2]),
        }
    }

    /// The public halves.
    pub(crate) fn public(&self) -> PublicKeys {
        PublicKeys {
            signing: self.signer.public().0,
            transport: self.transport.public().0,
            release: self.desk_signer().public(),
        }
    }

    /// Its number among the key sets of this node.
    pub(crate) fn sequence(&self) -> u32 {
        self.sequence
    }

    /// The release key itself: for the review desk alone.
    pub(crate) fn desk_signer(&self) -> ReleaseSigner {
        ReleaseSigner::from_seed(&self.release_seed)
    }
}

impl Identity {
    /// Makes new keys and writes them, sealed or not; refuses to replace any.
    pub fn create(
        data_dir: &Path,
        seal: Option<&Seal>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, IdentityError> {
        let mut ring = Ring::default();
        ring.add(KeyState::Current, rng);
        file::create(data_dir, &ring, seal, rng)?;
        Ok(Self::of_ring(data_dir, &ring, seal.cloned()).expect("a current set was just added"))
    }

    /// Reads the keys and opens them with `seal`, which may be given without need; refuses a file that others could
    /// read.
    pub fn read(data_dir: &Path, seal: Option<&Seal>) -> Result<Self, IdentityError> {
        Self::of_file(&file::KeyFile::read(data_dir)?, data_dir, seal)
    }

    /// Reads a copy of the key file that is not in the data directory.
    pub(crate) fn read_copy(path: &Path, seal: Option<&Seal>) -> Result<Self, IdentityError> {
        let dir = path.parent().unwrap_or(Path::new("."));
        Self::of_file(&file::KeyFile::read_at(path.to_owned())?, dir, seal)
    }

    fn of_file(
        file: &file::KeyFile,
        dir: &Path,
        seal: Option<&Seal>,
    ) -> Result<Self, IdentityError> {
        let seal = file.kind()?.and(seal);
        let ring = file.open(seal)?;
        Self::of_ring(dir, &ring, seal.cloned()).ok_or_else(|| file.invalid())
    }

    fn of_ring(data_dir: &Path, ring: &Ring, seal: Option<Seal>) -> Option<Self> {
        let current = Arc::new(ring.secret(ring.find(KeyState::Current)?.sequence)?);
        let former = ring.all().filter(|keys| keys.state == KeyState::Former);
        let former = former
            .map(|keys| ring.secret(keys.sequence).map(Arc::new))
            .collect::<Option<Vec<_>>>()?;
        let before = |keys: &RingKeys| !matches!(keys.state, KeyState::Current | KeyState::Next);
        let trusted = |keys: &RingKeys| matches!(keys.state, KeyState::Former | KeyState::Erased);
        let ledger_keys = ring.all().filter(before);
        Some(Self {
            trusted: std::iter::once(current.public())
                .chain(ring.all().filter(trusted).map(|keys| keys.public))
                .collect(),
            ledger_keys: ledger_keys
                .filter_map(|keys| VerifyingKey::from_bytes(&keys.public.signing).ok())
                .collect(),
            current,
            former: RwLock::new(former),
            seal,
            data_dir: data_dir.to_owned(),
            changing: Mutex::new(()),
        })
    }

    /// Writes the keys anew, in one step, sealed in another way or not at all.
    pub(crate) fn write_sealed(&self, seal: Option<&Seal>) -> Result<(), IdentityError> {
        let _turn = self.turn();
        let ring = file::KeyFile::read(&self.data_dir)?.open(self.seal.as_ref())?;
        file::replace(&self.data_dir, &ring, seal, &mut os_rng())
    }

    /// The ring as it is in the file now.
    pub(crate) fn ring(&self) -> Result<Ring, IdentityError> {
        let _turn = self.turn();
        file::KeyFile::read(&self.data_dir)?.open(self.seal.as_ref())
    }

    /// Changes the ring in the file.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Ring) -> T,
    ) -> Result<T, IdentityError> {
        let _turn = self.turn();
        let mut ring = file::KeyFile::read(&self.data_dir)?.open(self.seal.as_ref())?;
        let value = change(&mut ring);
        file::replace(&self.data_dir, &ring, self.seal.as_ref(), &mut os_rng())?;
        Ok(value)
    }

    /// The keys that the next start will open.
    pub(crate) fn reread(&self) -> Result<Self, IdentityError> {
        Self::read(&self.data_dir, self.seal.as_ref())
    }

    /// Erases former secret keys from the memory of this process.
    pub(crate) fn forget(&self, sequence: u32) {
        let mut former = self.former.write().unwrap_or_else(PoisonError::into_inner);
        former.retain(|set| set.sequence != sequence);
    }

    fn turn(&self) -> std::sync::MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the key file is sealed; `None` if it is not.
    pub fn sealed(&self) -> Option<SealKind> {
        self.seal.as_ref().map(Seal::kind)
    }

    /// Signs in the name of this node.
    pub fn signer(&self) -> &NodeSigner {
        &self.current.signer
    }

    /// Authenticates connections.
    pub fn transport(&self) -> &TransportKey {
        &self.current.transport
    }

    /// The key set of this process.
    pub(crate) fn current(&self) -> &Arc<KeySet> {
        &self.current
    }

    /// The key set with this signing key, current or former; `None` once it is erased.
    pub(crate) fn signer_for(&self, key: &NodeKey) -> Option<Arc<KeySet>> {
        let former = self.former.read().unwrap_or_else(PoisonError::into_inner);
        let mut sets = std::iter::once(&self.current).chain(former.iter());
        sets.find(|set| set.signer.public() == *key).cloned()
    }

    /// Every signing key that this node ever had, the present one first.
    pub(crate) fn signing_keys(&self) -> Vec<NodeKey> {
        let earlier = self.ledger_keys.iter().map(|key| NodeKey(key.to_bytes()));
        std::iter::once(self.node_key()).chain(earlier).collect()
    }

    /// Whether this node signs with a key, or ever did: old histories are verified with it.
    pub(crate) fn ever_signed(&self, key: &NodeKey) -> bool {
        *key == self.node_key()
            || self
                .ledger_keys
                .iter()
                .any(|known| *known.as_bytes() == key.0)
    }

    /// Public keys of every set of this node that agreements may name, the current one first: not those revoked.
    pub(crate) fn trusted(&self) -> &[PublicKeys] {
        &self.trusted
    }

    /// Public signing key.
    pub fn node_key(&self) -> NodeKey {
        self.current.signer.public()
    }

    /// Public transport key.
    pub fn transport_key(&self) -> PeerKey {
        self.current.transport.public()
    }

    /// Public release key.
    pub fn release_key(&self) -> [u8; 32] {
        self.current.desk_signer().public()
    }

    /// A copy of the signing key for the ledger's checkpoints.
    pub fn ledger_key(&self) -> SigningKey {
        self.current.signer.signing_key().clone()
    }

    /// Public keys that signed the ledger's checkpoints before.
    pub(crate) fn earlier_ledger_keys(&self) -> Vec<VerifyingKey> {
        self.ledger_keys.clone()
    }
}

#[cfg(test)]
mod tests;
