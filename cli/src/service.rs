//! The node that the system runs as a service. Its places are the same on every host, so that nobody has to name them:
//! neither the account that the service runs under, nor people whose accounts may use the socket.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use mandorla_control::Role;
use mandorla_node::Access;
use nix::unistd::Group;

/// Data directory of the service (`StateDirectory=` of the unit), for its own account only.
pub(crate) const DATA_DIR: &str = "/var/lib/mandorla";

/// Control socket of the service (`RuntimeDirectory=` of the unit), for the accounts of its group.
pub(crate) const SOCKET: &str = "/run/mandorla/control.sock";

/// How the service is started once its node was made.
pub(crate) const START: &str = "systemctl start mandorla";

/// How other accounts reach a node that is made in this directory, if the service is to run it: the installed package, or
/// `sysusers.d/mandorla.conf` of it, has made a group for each role.
pub(crate) fn access(data_dir: &Path) -> Option<Access> {
    let groups = Role::ALL.map(|role| (role, format!("mandorla-{role}")));
    let are_known = groups
        .iter()
        .all(|(_, group)| matches!(Group::from_name(group), Ok(Some(_))));
    (data_dir == Path::new(DATA_DIR) && are_known).then(|| Access {
        socket: Some(SOCKET.into()),
        groups: groups.into(),
    })
}

/// Whether this process runs under the service's account: the one that has the data directory.
pub(crate) fn is_its_account(data_dir: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    std::fs::metadata(data_dir).is_ok_and(|found| found.is_dir() && found.uid() == own)
}

/// Whether the service may have its socket there. A directory that this account may not enter counts: the error of the
/// call then names the socket, and not some place where no node ever was.
pub(crate) fn may_listen_on(socket: &Path) -> bool {
    match socket.symlink_metadata() {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_account_is_the_one_that_has_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        assert!(is_its_account(dir.path()));
        assert!(!is_its_account(&dir.path().join("none")));
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(!is_its_account(&file));
    }

    #[test]
    fn a_node_elsewhere_is_not_the_services() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(access(dir.path()), None);
    }

    #[test]
    fn a_socket_that_is_not_there_is_not_the_services() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("control.sock");
        assert!(!may_listen_on(&socket));
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        assert!(may_listen_on(&socket));
    }
}
