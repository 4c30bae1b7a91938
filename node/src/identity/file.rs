//! `keys.toml`: written whole or not at all.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{IdentityError, Ring};
use crate::permissions;
use crate::private_file;
use crate::seal::{Seal, SealError, SealKind};

/// File name in the data directory.
pub(crate) const KEYS_NAME: &str = "keys.toml";
/// Name that a new file has until it is whole.
const FRESH_NAME: &str = "keys.toml~";
/// What the ring is sealed for.
const PURPOSE: &str = "mandorla/1 node keys";
const NOT_SEALED: &str = "none";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    schema: u32,
    seal: String,
    keys: Zeroizing<String>,
}

/// A key file as it is, not opened.
pub(super) struct KeyFile {
    path: PathBuf,
    seal: String,
    keys: Zeroizing<Vec<u8>>,
}

impl KeyFile {
    /// Reads the file; refuses one that others could read.
    pub(super) fn read(data_dir: &Path) -> Result<Self, IdentityError> {
        Self::read_at(data_dir.join(KEYS_NAME))
    }

    /// The same of a copy of the file elsewhere.
    pub(super) fn read_at(path: PathBuf) -> Result<Self, IdentityError> {
        permissions::check_keys(&path)?;
        let text = std::fs::read_to_string(&path).map_err(io_error(&path))?;
        let text = Zeroizing::new(text);
        let parse = || {
            let fields: Fields = toml::from_str(&text).ok()?;
            let keys = Zeroizing::new(hex::decode(&*fields.keys).ok()?);
            (fields.schema == 2).then_some((fields.seal, keys))
        };
        let (seal, keys) = parse().ok_or_else(|| invalid(&path))?;
        Ok(Self { path, seal, keys })
    }

    /// That its content is none of this version.
    pub(super) fn invalid(&self) -> IdentityError {
        invalid(&self.path)
    }

    /// How it is sealed. The word in the file must be what the bytes say.
    pub(super) fn kind(&self) -> Result<Option<SealKind>, IdentityError> {
        if self.seal == NOT_SEALED {
            return Ok(None);
        }
        match Seal::kind_of(&self.keys) {
            Ok(kind) if self.seal == kind.word() => Ok(Some(kind)),
            _ => Err(invalid(&self.path)),
        }
    }

    /// The ring.
    pub(super) fn open(&self, seal: Option<&Seal>) -> Result<Ring, IdentityError> {
        let plain = match (self.kind()?, seal) {
            (None, _) => self.keys.clone(),
            (Some(kind), None) => {
                return Err(IdentityError::SecretNeeded {
                    path: self.path.clone(),
                    kind,
                });
            }
            (Some(_), Some(seal)) => {
                seal.open(PURPOSE, &self.keys)
                    .map_err(|source| match source {
                        SealError::Damaged => invalid(&self.path),
                        source => IdentityError::Sealed {
                            path: self.path.clone(),
                            source,
                        },
                    })?
            }
        };
        Ring::from_bytes(&plain).ok_or_else(|| invalid(&self.path))
    }
}

/// Writes the first key file of a directory; refuses to replace one.
pub(super) fn create(
    data_dir: &Path,
    ring: &Ring,
    seal: Option<&Seal>,
    rng: &mut impl CryptoRng,
) -> Result<(), IdentityError> {
    let path = data_dir.join(KEYS_NAME);
    let text = text(ring, seal, rng);
    let write = || {
        private_file::write_new(&path, text.as_bytes())?;
        private_file::sync_dir(data_dir)
    };
    write().map_err(io_error(&path))
}

/// Puts a new key file in the place of the present one, in one step; then overwrites what the old one held, where the
/// file system still keeps it in the same place.
pub(super) fn replace(
    data_dir: &Path,
    ring: &Ring,
    seal: Option<&Seal>,
    rng: &mut impl CryptoRng,
) -> Result<(), IdentityError> {
    let path = data_dir.join(KEYS_NAME);
    let fresh = data_dir.join(FRESH_NAME);
    let text = text(ring, seal, rng);
    let write = || {
        let mut old = OpenOptions::new().write(true).open(&path)?;
        private_file::write(&fresh, text.as_bytes())?;
        std::fs::rename(&fresh, &path)?;
        private_file::sync_dir(data_dir)?;
        private_file::overwrite(&mut old)
    };
    write().map_err(io_error(&path))
}

fn text(ring: &Ring, seal: Option<&Seal>, rng: &mut impl CryptoRng) -> Zeroizing<String> {
    let plain = ring.to_bytes();
    let (word, keys) = match seal {
        None => (NOT_SEALED, Zeroizing::new(hex::encode(&*plain))),
        Some(seal) => {
            let sealed = seal.seal(PURPOSE, &plain, rng);
            (seal.kind().word(), Zeroizing::new(hex::encode(sealed)))
        }
    };
    let fields = Fields {
        schema: 2,
        seal: word.to_owned(),
        keys,
    };
    Zeroizing::new(toml::to_string(&fields).expect("three plain fields"))
}

fn invalid(path: &Path) -> IdentityError {
    IdentityError::Invalid {
        path: path.to_owned(),
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> IdentityError {
    let path = path.to_owned();
    move |source| IdentityError::Io { path, source }
}
