//! The socket file: made so that nobody else can ever open it, and never taken from a living node.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::accounts;
use crate::config::SOCKET_PATH_BYTES_MAX;

/// The owner and the group may call; the group is for the accounts of everybody who holds a role.
const SOCKET_MODE: u32 = 0o660;

/// A listening control socket; its file goes away with it.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    path: PathBuf,
    inode: u64,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A node answers on it.
    #[error("a node answers on {} already", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is no socket has the name.
    #[error("{} is there and is not a socket", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// More than a socket's address holds.
    #[error("the path of the control socket has {bytes} bytes, at most {SOCKET_PATH_BYTES_MAX} fit: {}", path.display())]
    TooLong {
        /// The socket.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// This host has no such group.
    #[error("this host has no group {group}, which socket_group names")]
    NoGroup {
        /// Name or number.
        group: String,
    },
    /// The node may not give the socket to this group.
    #[error("cannot give the control socket to group {group}: {source}")]
    Group {
        /// Name or number.
        group: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system said no.
    #[error("cannot make the control socket {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl ControlSocket {
    /// Makes the socket. One that a dead node left is replaced.
    ///
    /// `group`: who may connect beside the owner, by name or number; the group of this process if not given.
    pub(crate) async fn bind(
        path: &Path,
        group: Option<&str>,
    ) -> Result<(Self, UnixListener), SocketError> {
        let bytes = path.as_os_str().len();
        if bytes > SOCKET_PATH_BYTES_MAX {
            let path = path.to_owned();
            return Err(SocketError::TooLong { path, bytes });
        }
        let gid = group.map(|group| {
            accounts::gid_of(group).ok_or_else(|| SocketError::NoGroup {
                group: group.to_owned(),
            })
        });
        let gid = gid.transpose()?;
        let io = |source| SocketError::Io {
            path: path.to_owned(),
            source,
        };
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
            Ok(found) if !found.file_type().is_socket() => {
                return Err(SocketError::NotASocket {
                    path: path.to_owned(),
                });
            }
            Ok(_) => match UnixStream::connect(path).await {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io(error)),
                Ok(_) => {
                    return Err(SocketError::InUse {
                        path: path.to_owned(),
                    });
                }
            },
        }
        // Bound under another name and renamed, so that it is never there with wider permissions, and a stale one
        // is replaced in one step.
        let mut fresh = path.as_os_str().to_owned();
        fresh.push("~");
        let fresh = PathBuf::from(fresh);
        let _ = std::fs::remove_file(&fresh);
        let listener = UnixListener::bind(&fresh).map_err(io)?;
        if let (Some(group), Some(gid)) = (group, gid)
            && let Err(source) = std::os::unix::fs::chown(&fresh, None, Some(gid))
        {
            let _ = std::fs::remove_file(&fresh);
            let group = group.to_owned();
            return Err(SocketError::Group { group, source });
        }
        let named = std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(SOCKET_MODE))
            .and_then(|()| std::fs::rename(&fresh, path))
            .and_then(|()| std::fs::symlink_metadata(path));
        let metadata = named.map_err(|error| {
            let _ = std::fs::remove_file(&fresh);
            io(error)
        })?;
        let socket = Self {
            path: path.to_owned(),
            inode: metadata.ino(),
        };
        Ok((socket, listener))
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let ours =
            std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "the listener is gone, its file is not");

        let (socket, listener) = ControlSocket::bind(&path, None).await.unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, SOCKET_MODE);
        let second = ControlSocket::bind(&path, None).await;
        assert!(matches!(second, Err(SocketError::InUse { .. })));
        assert!(UnixStream::connect(&path).await.is_ok());

        drop((socket, listener));
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        std::fs::write(&path, "precious").unwrap();
        let refused = ControlSocket::bind(&path, None).await;
        assert!(matches!(refused, Err(SocketError::NotASocket { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[tokio::test]
    async fn a_path_longer_than_a_socket_address_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x".repeat(120));
        let refused = ControlSocket::bind(&path, None).await;
        assert!(matches!(refused, Err(SocketError::TooLong { .. })));
    }

    #[tokio::test]
    async fn the_longest_path_that_is_allowed_can_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let left = SOCKET_PATH_BYTES_MAX - dir.path().as_os_str().len() - 1;
        let path = dir.path().join("x".repeat(left));
        ControlSocket::bind(&path, None).await.unwrap();
    }

    #[tokio::test]
    async fn the_socket_belongs_to_the_group_that_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let own = std::fs::metadata(dir.path()).unwrap().gid();
        let bound = ControlSocket::bind(&path, Some(&own.to_string())).await;
        let (_socket, _listener) = bound.unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(
            (metadata.gid(), metadata.mode() & 0o777),
            (own, SOCKET_MODE)
        );
        let other = dir.path().join("other.sock");
        let refused = ControlSocket::bind(&other, Some("no-such-group-here")).await;
        assert!(matches!(refused, Err(SocketError::NoGroup { .. })));
        assert!(!other.exists());
    }
}
