//! Why something is not sealed or opened.

use std::io;
use std::path::PathBuf;

use mandorla_control::ErrorCode;

use super::{PASSPHRASE_BYTES_MAX, PASSPHRASE_CHARS_MIN, SealKind};
use crate::permissions::PermissionError;

/// Why a secret or what was sealed under it cannot be used. It never carries either.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Not a passphrase.
    #[error(
        "a passphrase has {PASSPHRASE_CHARS_MIN} characters or more, and at most {PASSPHRASE_BYTES_MAX} bytes"
    )]
    PassphraseLength,
    /// The file is not a wrapping key.
    #[error("{} is not a wrapping key: 32 bytes, or 64 hexadecimal digits", path.display())]
    NotAWrappingKey {
        /// The file.
        path: PathBuf,
    },
    /// The file is not text.
    #[error("{} is not a passphrase file: one line of text", path.display())]
    NotAPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The file of the secret cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Other accounts could read the secret.
    #[error(transparent)]
    Permission(#[from] PermissionError),
    /// What was sealed is not whole.
    #[error("what was sealed is damaged, or of another version")]
    Damaged,
    /// The other kind of secret opens it.
    #[error("it is sealed under a {sealed}, and a {given} was given")]
    OtherKind {
        /// What it is sealed under.
        sealed: SealKind,
        /// What was given.
        given: SealKind,
    },
    /// The secret does not fit.
    #[error("it does not open with this {0}")]
    WrongSecret(SealKind),
}

impl SealError {
    /// The code that the command line reports it under.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::PassphraseLength | Self::NotAPassphrase { .. } | Self::NotAWrappingKey { .. } => {
                ErrorCode::BadRequest
            }
            Self::Io { .. } => ErrorCode::BadFile,
            Self::Permission(_) => ErrorCode::OpenToOthers,
            Self::Damaged => ErrorCode::Storage,
            Self::OtherKind { .. } => ErrorCode::SecretNeeded,
            Self::WrongSecret(_) => ErrorCode::WrongSecret,
        }
    }

    /// The next command.
    pub fn hint(&self) -> String {
        match self {
            Self::PassphraseLength | Self::NotAPassphrase { .. } => {
                "six words picked at random make a good one".to_owned()
            }
            Self::NotAWrappingKey { path } => format!(
                "a new one: (umask 077; head -c 32 /dev/urandom > {})",
                path.display()
            ),
            Self::Io { path, .. } => format!("ls -l {}", path.display()),
            Self::Permission(error) => error.hint(),
            Self::Damaged => "put the file back from a copy".to_owned(),
            Self::OtherKind { sealed, .. } | Self::WrongSecret(sealed) => match sealed {
                SealKind::Passphrase => {
                    "try again with the right passphrase (--passphrase-file FILE, or typed); \
                     nothing was changed"
                        .to_owned()
                }
                SealKind::Credential => {
                    "name the file of the right key: --wrapping-key FILE; nothing was changed"
                        .to_owned()
                }
            },
        }
    }
}
