//! Pseudonyms of subjects in the ledger: the same person of a dataset has the same one, and without this node's key
//! nobody can tell whose it is, whatever they can guess.
//!
//! ```text
//!  pseudonym.key   hexadecimal: the key (32), sealed for this purpose as the keys in keys.toml are (node/src/seal.rs);
//!                  as it is if those are not sealed
//!  pseudonym.key~  the same under a new seal, until keys.toml is sealed anew too
//! ```
//! The node's other keys change; this one stays, so that a person's disclosures are found under one name.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::identity::IdentityError;
use crate::permissions;
use crate::private_file;
use crate::seal::{Seal, SealError, SealKind};

/// File name in the data directory. A backup must hold it: without it earlier disclosures of a person cannot be found
/// any more.
pub(crate) const PSEUDONYM_KEY_NAME: &str = "pseudonym.key";

/// Name that a new file has until it is in its place.
const FRESH_NAME: &str = "pseudonym.key~";

/// Bytes of a pseudonym: no two subjects of a node share one by chance.
const PSEUDONYM_BYTES: usize = 16;

const SUBJECT: &[u8] = b"mandorla pseudonym of a subject";
const KEY_CHECK: &[u8] = b"mandorla check value of a pseudonym key";

/// What the key is sealed for.
const PURPOSE: &str = "mandorla/1 pseudonym key";

/// The key of this node's pseudonyms; erased when dropped.
pub(crate) struct PseudonymKey(Zeroizing<[u8; 32]>);

impl PseudonymKey {
    /// Reads the key, or makes it where there is none; says whether it was made. On the disk it is sealed as the node's
    /// other keys are, also if it was not before.
    pub(crate) fn open(
        data_dir: &Path,
        seal: Option<&Seal>,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, bool), IdentityError> {
        let path = data_dir.join(PSEUDONYM_KEY_NAME);
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut key = Zeroizing::new([0; 32]);
                rng.fill_bytes(key.as_mut_slice());
                let key = Self(key);
                key.write(data_dir, seal, rng)?;
                return Ok((key, true));
            }
            Err(source) => return Err(IdentityError::Io { path, source }),
            Ok(_) => {}
        }
        let (key, found) = match (Self::read(&path, seal), fresh(&path)) {
            (Ok(read), None) => read,
            // What was prepared for a new seal that the others did not get.
            (Ok(read), Some(fresh)) => {
                std::fs::remove_file(&fresh).map_err(|source| IdentityError::Io {
                    path: fresh.clone(),
                    source,
                })?;
                read
            }
            // The node died between the new seals of this key and of the others: that of the others counts.
            (Err(error), Some(fresh)) => {
                let read = Self::read(&fresh, seal).map_err(|_| error)?;
                move_over(data_dir, &fresh, &path)?;
                read
            }
            (Err(error), None) => return Err(error),
        };
        if found != seal.map(Seal::kind) {
            key.write(data_dir, seal, rng)?;
        }
        Ok((key, false))
    }

    /// The key of a file, and how it was sealed there.
    fn read(path: &Path, seal: Option<&Seal>) -> Result<(Self, Option<SealKind>), IdentityError> {
        permissions::check_keys(path)?;
        let invalid = || IdentityError::Invalid {
            path: path.to_owned(),
        };
        let text = std::fs::read_to_string(path).map_err(|source| IdentityError::Io {
            path: path.to_owned(),
            source,
        })?;
        let text = Zeroizing::new(text);
        let bytes = Zeroizing::new(hex::decode(text.trim_end()).map_err(|_| invalid())?);
        if let Ok(key) = <[u8; 32]>::try_from(bytes.as_slice()) {
            return Ok((Self(Zeroizing::new(key)), None));
        }
        let kind = Seal::kind_of(&bytes).map_err(|_| invalid())?;
        let seal = seal.ok_or_else(|| IdentityError::SecretNeeded {
            path: path.to_owned(),
            kind,
        })?;
        let opened = seal.open(PURPOSE, &bytes).map_err(|source| match source {
            SealError::Damaged => invalid(),
            source => IdentityError::Sealed {
                path: path.to_owned(),
                source,
            },
        })?;
        let key = <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| invalid())?;
        Ok((Self(Zeroizing::new(key)), Some(kind)))
    }

    /// The key as a backup holds it: whatever opens the backup opens it.
    pub(crate) fn to_backup(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new((hex::encode(self.0.as_slice()) + "\n").into_bytes())
    }

    /// The key of a backup; `None` if it is none.
    pub(crate) fn of_backup(content: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        let digits = content.strip_suffix(b"\n")?;
        hex::decode_to_slice(digits, key.as_mut_slice()).ok()?;
        Some(Self(key))
    }

    /// Writes the key, sealed or not.
    pub(crate) fn write(
        &self,
        data_dir: &Path,
        seal: Option<&Seal>,
        rng: &mut impl CryptoRng,
    ) -> Result<(), IdentityError> {
        let path = data_dir.join(PSEUDONYM_KEY_NAME);
        let fresh = self.prepare(data_dir, seal, rng)?;
        move_over(data_dir, &fresh, &path)
    }

    /// Writes the key, sealed or not, beside the present file; [`commit`](Self::commit) puts it in its place.
    pub(crate) fn prepare(
        &self,
        data_dir: &Path,
        seal: Option<&Seal>,
        rng: &mut impl CryptoRng,
    ) -> Result<PathBuf, IdentityError> {
        let bytes = match seal {
            None => self.0.to_vec(),
            Some(seal) => seal.seal(PURPOSE, self.0.as_slice(), rng),
        };
        let bytes = Zeroizing::new(bytes);
        let text = Zeroizing::new(hex::encode(&*bytes) + "\n");
        let fresh = data_dir.join(FRESH_NAME);
        let written = private_file::write(&fresh, text.as_bytes());
        written.map_err(|source| IdentityError::Io {
            path: fresh.clone(),
            source,
        })?;
        Ok(fresh)
    }

    /// Puts what [`prepare`](Self::prepare) wrote in its place.
    pub(crate) fn commit(data_dir: &Path) -> Result<(), IdentityError> {
        let path = data_dir.join(PSEUDONYM_KEY_NAME);
        move_over(data_dir, &data_dir.join(FRESH_NAME), &path)
    }

    /// The pseudonym of a subject, by its dataset and its reference in it: 32 hexadecimal digits.
    pub(crate) fn of(&self, dataset: &str, reference: &str) -> String {
        self.tag(SUBJECT, &[dataset.as_bytes(), reference.as_bytes()])
    }

    /// Tells two keys apart without telling anything about either.
    pub(crate) fn check_value(&self) -> String {
        self.tag(KEY_CHECK, &[])
    }

    fn tag(&self, label: &[u8], parts: &[&[u8]]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice())
            .expect("HMAC takes keys of any length");
        mac.update(label);
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        hex::encode(&mac.finalize().into_bytes()[..PSEUDONYM_BYTES])
    }
}

/// A file that was prepared and not put in its place.
fn fresh(path: &Path) -> Option<PathBuf> {
    let fresh = path.with_file_name(FRESH_NAME);
    fresh.exists().then_some(fresh)
}

/// Puts a whole file in the place of the present one; then overwrites what that one held, where the file system still
/// keeps it in the same place.
fn move_over(data_dir: &Path, fresh: &Path, path: &Path) -> Result<(), IdentityError> {
    let rename = || {
        let old = match OpenOptions::new().write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => Some(opened?),
        };
        std::fs::rename(fresh, path)?;
        private_file::sync_dir(data_dir)?;
        old.map_or(Ok(()), |mut old| private_file::overwrite(&mut old))
    };
    rename().map_err(|source| IdentityError::Io {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_person_has_one_pseudonym_and_another_under_another_key() {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = StdRng::seed_from_u64(1);
        let (key, made) = PseudonymKey::open(dir.path(), None, &mut rng).unwrap();
        assert!(made);
        let (again, made) = PseudonymKey::open(dir.path(), None, &mut rng).unwrap();
        assert!(!made);
        assert_eq!(key.of("list", "A-1"), again.of("list", "A-1"));
        assert_eq!(key.check_value(), again.check_value());
        let others = [
            key.of("list", "A-2"),
            key.of("lis", "tA-1"),
            key.of("", "listA-1"),
            key.check_value(),
        ];
        for other in others {
            assert_ne!(other, key.of("list", "A-1"));
        }
        std::fs::remove_file(dir.path().join(PSEUDONYM_KEY_NAME)).unwrap();
        let (other, _) = PseudonymKey::open(dir.path(), None, &mut rng).unwrap();
        assert_ne!(other.of("list", "A-1"), key.of("list", "A-1"));
    }

    #[test]
    fn a_key_file_that_others_can_read_or_that_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(PSEUDONYM_KEY_NAME);
        let mut rng = StdRng::seed_from_u64(2);
        PseudonymKey::open(dir.path(), None, &mut rng).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let open = PseudonymKey::open(dir.path(), None, &mut rng);
        assert!(matches!(open, Err(IdentityError::Permission(_))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "short\n").unwrap();
        let short = PseudonymKey::open(dir.path(), None, &mut rng);
        assert!(matches!(short, Err(IdentityError::Invalid { .. })));
    }

    fn passphrase(text: &str) -> Seal {
        Seal::passphrase(Zeroizing::new(text.to_owned())).unwrap()
    }

    fn content(dir: &Path) -> String {
        std::fs::read_to_string(dir.join(PSEUDONYM_KEY_NAME)).unwrap()
    }

    #[test]
    fn the_key_is_sealed_as_the_others_are_and_found_unsealed_only_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = StdRng::seed_from_u64(3);
        let (key, _) = PseudonymKey::open(dir.path(), None, &mut rng).unwrap();
        let plain = content(dir.path());
        let held_open = std::fs::File::open(dir.path().join(PSEUDONYM_KEY_NAME)).unwrap();
        let seal = Seal::wrapping_key(Zeroizing::new([9; 32]));
        let (sealed, made) = PseudonymKey::open(dir.path(), Some(&seal), &mut rng).unwrap();
        assert!(!made);
        assert_eq!(sealed.check_value(), key.check_value());
        assert!(!content(dir.path()).contains(plain.trim_end()));
        let old = std::io::read_to_string(held_open).unwrap();
        assert!(
            old.bytes().all(|byte| byte == 0),
            "the old file is overwritten"
        );
        let without = PseudonymKey::open(dir.path(), None, &mut rng).err();
        assert!(matches!(without, Some(IdentityError::SecretNeeded { .. })));
        let other = Seal::wrapping_key(Zeroizing::new([8; 32]));
        let wrong = PseudonymKey::open(dir.path(), Some(&other), &mut rng).err();
        assert!(matches!(wrong, Some(IdentityError::Sealed { .. })));
    }

    #[test]
    fn a_change_of_the_seal_that_broke_off_is_finished_or_undone() {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = StdRng::seed_from_u64(4);
        let [old, new] = ["an old passphrase", "a new passphrase"].map(passphrase);
        let (key, _) = PseudonymKey::open(dir.path(), Some(&old), &mut rng).unwrap();
        // The others were not sealed anew: the old secret still opens the node, and what was prepared is not used.
        key.prepare(dir.path(), Some(&new), &mut rng).unwrap();
        let (again, _) = PseudonymKey::open(dir.path(), Some(&old), &mut rng).unwrap();
        assert_eq!(again.check_value(), key.check_value());
        assert!(fresh(&dir.path().join(PSEUDONYM_KEY_NAME)).is_none());
        // They were.
        key.prepare(dir.path(), Some(&new), &mut rng).unwrap();
        let (again, _) = PseudonymKey::open(dir.path(), Some(&new), &mut rng).unwrap();
        assert_eq!(again.check_value(), key.check_value());
        let (again, _) = PseudonymKey::open(dir.path(), Some(&new), &mut rng).unwrap();
        assert_eq!(again.check_value(), key.check_value());
        assert!(PseudonymKey::open(dir.path(), Some(&old), &mut rng).is_err());
    }

    #[test]
    fn a_backup_holds_the_key_and_nothing_else_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = StdRng::seed_from_u64(5);
        let (key, _) = PseudonymKey::open(dir.path(), None, &mut rng).unwrap();
        let content = key.to_backup();
        let back = PseudonymKey::of_backup(&content).unwrap();
        assert_eq!(back.check_value(), key.check_value());
        for other in [&content[..63], &content[1..], &content[..64], b""] {
            assert!(PseudonymKey::of_backup(other).is_none());
        }
    }
}
