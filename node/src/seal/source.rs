//! Secrets from files that only their owner can read.

use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::{PASSPHRASE_BYTES_MAX, Seal, SealError};
use crate::permissions;

/// A key in hexadecimal digits with a line end, and a passphrase, are shorter.
const FILE_BYTES_MAX: usize = PASSPHRASE_BYTES_MAX + 2;

impl Seal {
    /// The passphrase in the first and only line of a file that no other account can read.
    ///
    /// # Errors
    /// [`SealError::Io`], [`SealError::Permission`], [`SealError::NotAPassphrase`], [`SealError::PassphraseLength`].
    pub fn read_passphrase(path: &Path) -> Result<Self, SealError> {
        let bytes = read(path)?;
        let text = std::str::from_utf8(&bytes).ok().map(without_line_end);
        let text = text.filter(|text| !text.contains(['\n', '\0']));
        let text = text.ok_or_else(|| SealError::NotAPassphrase {
            path: path.to_owned(),
        })?;
        Self::passphrase(Zeroizing::new(text.to_owned()))
    }

    /// The wrapping key in a file that no other account can read: 32 bytes, or 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`SealError::Io`], [`SealError::Permission`], [`SealError::NotAWrappingKey`].
    pub fn read_wrapping_key(path: &Path) -> Result<Self, SealError> {
        let bytes = read(path)?;
        let mut key = Zeroizing::new([0; 32]);
        let usable = if bytes.len() == key.len() {
            key.copy_from_slice(&bytes);
            true
        } else {
            let text = std::str::from_utf8(&bytes).map(without_line_end);
            text.is_ok_and(|text| hex::decode_to_slice(text, key.as_mut_slice()).is_ok())
        };
        usable
            .then(|| Self::wrapping_key(key))
            .ok_or_else(|| SealError::NotAWrappingKey {
                path: path.to_owned(),
            })
    }
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let io = |source| SealError::Io {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(io)?;
    permissions::check_secret(path, &file.metadata().map_err(io)?)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX + 1));
    let limit = u64::try_from(FILE_BYTES_MAX + 1).expect("a small number");
    file.take(limit).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}
