//! The passphrase of a backup: from a file or typed, never from the command line itself.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use mandorla_control::{ApiError, ErrorCode};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::failure::{file, internal};

/// A whole page of text given by mistake is no passphrase.
const BYTES_MAX: u64 = 1_024;

impl Context {
    /// The passphrase of a backup, asked for twice if it is new.
    pub(crate) fn passphrase(
        &self,
        path: Option<&Path>,
        is_new: bool,
    ) -> Result<Zeroizing<String>, ApiError> {
        if let Some(path) = path {
            return read(path);
        }
        if !self.can_ask() {
            return Err(ApiError::new(
                ErrorCode::SecretNeeded,
                "the backup's passphrase is needed, and nobody can be asked here",
            )
            .hint("repeat the command with --passphrase-file FILE"));
        }
        let first = typed("Passphrase of the backup: ")?;
        if is_new && typed("The same again: ")? != first {
            return Err(ApiError::new(
                ErrorCode::BadRequest,
                "the two passphrases differ; nothing was done",
            ));
        }
        Ok(first)
    }
}

fn typed(prompt: &str) -> Result<Zeroizing<String>, ApiError> {
    let typed = rpassword::prompt_password(prompt);
    typed.map(Zeroizing::new).map_err(internal)
}

/// The first and only line of a file that no other account can read.
fn read(path: &Path) -> Result<Zeroizing<String>, ApiError> {
    let opened = std::fs::File::open(path).map_err(|error| file(path, error))?;
    let metadata = opened.metadata().map_err(|error| file(path, error))?;
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        let message = format!("{} can be read by other accounts", path.display());
        return Err(ApiError::new(ErrorCode::OpenToOthers, message)
            .hint(format!("chmod 600 {}", path.display())));
    }
    let mut text = Zeroizing::new(String::new());
    let read = opened.take(BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| file(path, error))?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.ends_with('\r') {
        text.pop();
    }
    if text.len() as u64 > BYTES_MAX || text.contains('\n') {
        return Err(file(path, "a passphrase is one line"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn written(text: &str, mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn it_is_the_one_line_of_a_file_that_only_its_owner_can_read() {
        for text in ["six words", "six words\n", "six words\r\n"] {
            let (_dir, path) = written(text, 0o600);
            assert_eq!(read(&path).unwrap().as_str(), "six words");
        }
        let (_dir, path) = written("six words\n", 0o640);
        let error = read(&path).unwrap_err();
        assert!(error.hint.unwrap().starts_with("chmod 600"));
        let (_dir, path) = written("six\nwords\n", 0o600);
        read(&path).unwrap_err();
        let (_dir, path) = written(&"x".repeat(1_025), 0o600);
        read(&path).unwrap_err();
    }
}
