//! Who may touch the node's files: found out before they are used.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Why a file or directory is not used. Its message says whom it is open to, its hint is the command that closes it.
#[derive(Debug, thiserror::Error)]
pub enum PermissionError {
    /// Other accounts could read or write it.
    #[error("{} has mode {mode:03o}: {harm}", path.display())]
    OpenToOthers {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What others could do.
        harm: &'static str,
        /// The bits that it should have.
        wanted: u32,
    },
    /// It belongs to another account.
    #[error("{} belongs to user id {owner}, but the node runs as user id {runs_as}", path.display())]
    ForeignOwner {
        /// The file or directory.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// The effective user id of this process.
        runs_as: u32,
    },
    /// It cannot be looked at.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl PermissionError {
    /// The command that puts it right.
    pub fn hint(&self) -> String {
        match self {
            Self::OpenToOthers { path, wanted, .. } => {
                format!("chmod {wanted:o} {}", path.display())
            }
            Self::ForeignOwner { path, runs_as, .. } => {
                format!("chown {runs_as} {}", path.display())
            }
            Self::Io { path, .. } => format!("ls -ld {}", path.display()),
        }
    }
}

/// The data directory: the node's own, closed to all others.
pub(crate) fn check_data_dir(path: &Path) -> Result<(), PermissionError> {
    let metadata = look_at(path)?;
    owned(path, &metadata, &[euid()])?;
    closed(
        path,
        &metadata,
        0o077,
        0o700,
        "others could reach the node's files",
    )
}

/// A file with keys: the node's own, closed to all others.
pub(crate) fn check_keys(path: &Path) -> Result<(), PermissionError> {
    let metadata = look_at(path)?;
    owned(path, &metadata, &[euid()])?;
    closed(
        path,
        &metadata,
        0o077,
        0o600,
        "others than its owner could read the keys",
    )
}

/// The configuration: it decides who may do what, so nobody else may write it.
pub(crate) fn check_config(path: &Path) -> Result<(), PermissionError> {
    let metadata = look_at(path)?;
    owned(path, &metadata, &[euid(), ROOT])?;
    closed(
        path,
        &metadata,
        0o022,
        0o600,
        "others than its owner could change the roles in it",
    )
}

/// The directory of the control socket: who may write there could put another socket in its place.
pub(crate) fn check_socket_dir(socket: &Path) -> Result<(), PermissionError> {
    let dir = match socket.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let metadata = look_at(dir)?;
    owned(dir, &metadata, &[euid(), ROOT])?;
    closed(
        dir,
        &metadata,
        0o022,
        0o755,
        "others could put a socket of theirs in the place of the node's",
    )
}

/// A passphrase or wrapping key: of this account or of root. A service manager hands credentials out as files of root's
/// that an access-control list opens to the service, which looks like a right of the group to read.
pub(crate) fn check_secret(path: &Path, metadata: &Metadata) -> Result<(), PermissionError> {
    owned(path, metadata, &[euid(), ROOT])?;
    let others = if metadata.uid() == ROOT && euid() != ROOT {
        0o037
    } else {
        0o077
    };
    closed(
        path,
        metadata,
        others,
        0o600,
        "others than its owner could read the secret",
    )
}

const ROOT: u32 = 0;

fn euid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn look_at(path: &Path) -> Result<Metadata, PermissionError> {
    std::fs::metadata(path).map_err(|source| PermissionError::Io {
        path: path.to_owned(),
        source,
    })
}

fn owned(path: &Path, metadata: &Metadata, owners: &[u32]) -> Result<(), PermissionError> {
    if owners.contains(&metadata.uid()) {
        return Ok(());
    }
    Err(PermissionError::ForeignOwner {
        path: path.to_owned(),
        owner: metadata.uid(),
        runs_as: euid(),
    })
}

fn closed(
    path: &Path,
    metadata: &Metadata,
    forbidden: u32,
    wanted: u32,
    harm: &'static str,
) -> Result<(), PermissionError> {
    let mode = metadata.mode() & 0o777;
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(PermissionError::OpenToOthers {
        path: path.to_owned(),
        mode,
        harm,
        wanted,
    })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    type Check = fn(&Path) -> Result<(), PermissionError>;

    #[test]
    fn each_bit_that_lets_others_in_is_refused_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("node");
        std::fs::create_dir(&data_dir).unwrap();
        let file = data_dir.join("file");
        std::fs::write(&file, "").unwrap();
        let socket: Check = |dir| check_socket_dir(&dir.join("control.sock"));
        let cases: [(&Path, Check, u32, u32, &str); 4] = [
            (&data_dir, check_data_dir, 0o700, 0o077, "700"),
            (&data_dir, socket, 0o700, 0o022, "755"),
            (&file, check_keys, 0o600, 0o077, "600"),
            (&file, check_config, 0o600, 0o022, "600"),
        ];
        for (path, check, good, forbidden, wanted) in cases {
            let set = |mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            for bit in (0..6).map(|bit| 1 << bit) {
                set(good | bit);
                let checked = check(path);
                if forbidden & bit == 0 {
                    assert!(checked.is_ok(), "{bit:o}");
                    continue;
                }
                let error = checked.unwrap_err();
                assert!(error.to_string().contains(&format!("{:03o}", good | bit)));
                assert_eq!(error.hint(), format!("chmod {wanted} {}", path.display()));
            }
            set(good);
            check(path).unwrap();
        }
    }
}
