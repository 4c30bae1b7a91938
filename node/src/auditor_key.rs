//! The auditor's private key on its way: `init` writes it once, the auditor takes it away, the node never reads it.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::private_file;
use crate::sealing::AuditorKey;

/// File name in the data directory, until the auditor has it.
pub(crate) const AUDITOR_KEY_NAME: &str = "auditor.key";

const EXPLANATION: &str = "\
# The auditor's private key. It opens the seeds of this node's rounds, which are sealed to it, and nothing else.
# Hand this file to the auditor and remove it from this host: the node does not need it, and must not have it.

";

/// Why an auditor's key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditorKeyError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than the owner can read the file.
    #[error("{} has mode {mode:03o}: others than its owner could read the key (chmod 600)", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file is not an auditor's key.
    #[error("{} is not an auditor's key of this version", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    schema: u32,
    private_key: Zeroizing<String>,
}

impl AuditorKey {
    /// Makes a new key and writes it; refuses to replace any.
    pub(crate) fn create(path: &Path, rng: &mut impl CryptoRng) -> Result<Self, AuditorKeyError> {
        let key = Self::generate(rng);
        let file = KeyFile {
            schema: 1,
            private_key: Zeroizing::new(hex::encode(*key.to_bytes())),
        };
        let text = Zeroizing::new(toml::to_string(&file).expect("two plain fields"));
        let write = || {
            let content = Zeroizing::new([EXPLANATION, &text].concat());
            private_file::write_new(path, content.as_bytes())?;
            path.parent().map_or(Ok(()), private_file::sync_dir)
        };
        write().map_err(|source| AuditorKeyError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(key)
    }

    /// Reads a key file; refuses one that others could read.
    pub fn read(path: &Path) -> Result<Self, AuditorKeyError> {
        let io = |source| AuditorKeyError::Io {
            path: path.to_owned(),
            source,
        };
        let mode = std::fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(AuditorKeyError::OpenToOthers {
                path: path.to_owned(),
                mode,
            });
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(io)?);
        let parse = || {
            let file: KeyFile = toml::from_str(&text).ok()?;
            let mut bytes = Zeroizing::new([0; 32]);
            hex::decode_to_slice(&*file.private_key, bytes.as_mut_slice()).ok()?;
            (file.schema == 1).then(|| Self::from_bytes(&bytes))
        };
        parse().ok_or_else(|| AuditorKeyError::Invalid {
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_key_file_is_closed_to_others_explains_itself_and_replaces_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(AUDITOR_KEY_NAME);
        let mut rng = StdRng::seed_from_u64(3);
        let key = AuditorKey::create(&path, &mut rng).unwrap();
        let read = AuditorKey::read(&path).unwrap();
        assert_eq!(read.to_bytes(), key.to_bytes());
        assert_eq!(read.public(), key.public());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("remove it from this host"), "{text}");

        let again = AuditorKey::create(&path, &mut rng);
        assert!(matches!(again, Err(AuditorKeyError::Io { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let open = AuditorKey::read(&path);
        assert!(matches!(
            open,
            Err(AuditorKeyError::OpenToOthers { mode: 0o640, .. })
        ));
    }

    #[test]
    fn a_file_cut_short_or_of_another_schema_is_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(AUDITOR_KEY_NAME);
        AuditorKey::create(&path, &mut StdRng::seed_from_u64(4)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for broken in [
            text[..text.len() - 10].to_owned(),
            text.replace("schema = 1", "schema = 2"),
        ] {
            std::fs::write(&path, broken).unwrap();
            assert!(matches!(
                AuditorKey::read(&path),
                Err(AuditorKeyError::Invalid { .. })
            ));
        }
    }
}
