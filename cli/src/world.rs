//! Nodes on this machine: processes of the program, driven over their control sockets.
//!
//! ```text
//!   demo, bench, tests ──► World ──┬── process `mandorla node run`   requester   ◄─┐
//!                                  │                                               │ QUIC on loopback
//!                                  └── process `mandorla node run`   responder   ◄─┘
//!   <dir>/<code>/node.toml, keys, store, control.sock       <dir>/<code>.log
//! ```
//! Whoever starts a world stops it, whatever happened in between: [`World::stop`] ends its processes by their ids, and
//! a world that is dropped instead, as by a panic, kills them.

mod drive;
mod process;

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};

use mandorla_control::{ApiError, ErrorCode, Role};
use tempfile::TempDir;

pub use crate::trial_agreement::party_of;
pub use drive::{TRIAL_USERS, agree, both_ways, exchange_cards, hits_waiting, value_of};
pub use process::{NodeProcess, Usage};

use crate::failure::{file, internal};

/// What a node of a world shall be.
#[derive(Clone, Copy, Debug)]
pub struct NodeSpec<'a> {
    /// Party code and country.
    pub country: &'a str,
    /// Name for people.
    pub name: &'a str,
    /// UDP port on loopback.
    pub port: u16,
    /// Worker threads; all cores if none.
    pub threads: Option<usize>,
    /// Named users and their roles.
    pub users: &'a [(&'a str, &'a [Role])],
}

/// Two nodes and the directory they live in.
#[derive(Debug)]
pub struct World {
    program: PathBuf,
    root: PathBuf,
    /// Goes before the directory that it writes to.
    nodes: Vec<NodeProcess>,
    /// Removes `root` at the end; none if it is to be kept.
    _temporary: Option<TempDir>,
}

impl World {
    /// A world of this very program without nodes, in a temporary directory or in one that is kept.
    pub fn in_directory(keep: Option<&Path>) -> Result<Self, ApiError> {
        Self::of_program(&std::env::current_exe().map_err(internal)?, keep)
    }

    /// A world of a given program `mandorla`.
    pub fn of_program(program: &Path, keep: Option<&Path>) -> Result<Self, ApiError> {
        let program = program.to_owned();
        let Some(keep) = keep else {
            let temporary = tempfile::Builder::new()
                .prefix("mandorla-")
                .tempdir()
                .map_err(internal)?;
            return Ok(Self {
                program,
                root: temporary.path().to_owned(),
                _temporary: Some(temporary),
                nodes: Vec::new(),
            });
        };
        std::fs::create_dir_all(keep).map_err(|error| file(keep, error))?;
        let mut entries = std::fs::read_dir(keep).map_err(|error| file(keep, error))?;
        if entries.next().is_some() {
            let message = format!("{} is not empty", keep.display());
            return Err(
                ApiError::new(ErrorCode::Exists, message).hint("give --keep a new directory")
            );
        }
        Ok(Self {
            program,
            root: std::path::absolute(keep).map_err(|error| file(keep, error))?,
            _temporary: None,
            nodes: Vec::new(),
        })
    }

    /// Makes a node, starts its process, and waits until it answers. The first is the requester.
    pub async fn start(&mut self, spec: &NodeSpec<'_>) -> Result<(), ApiError> {
        let node = NodeProcess::start(&self.program, &self.root, spec).await?;
        self.nodes.push(node);
        self.nodes
            .last_mut()
            .expect("just pushed")
            .wait_until_ready()
            .await
    }

    /// The directory of the nodes.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The node that asks.
    pub fn requester(&self) -> &NodeProcess {
        &self.nodes[0]
    }

    /// The node that is asked.
    pub fn responder(&self) -> &NodeProcess {
        &self.nodes[1]
    }

    /// A node by its place in the order of their starts.
    pub fn node(&self, index: usize) -> &NodeProcess {
        &self.nodes[index]
    }

    /// A node to be stopped, killed or started again.
    pub fn node_mut(&mut self, index: usize) -> &mut NodeProcess {
        &mut self.nodes[index]
    }

    /// Stops every process of this world.
    pub async fn stop(&mut self) {
        for node in &mut self.nodes {
            node.ask_to_stop();
        }
        for node in &mut self.nodes {
            node.wait_until_gone().await;
        }
    }
}

/// Two UDP ports on loopback: from `base` on, or ones that are free now.
pub fn ports(base: Option<u16>) -> Result<[u16; 2], ApiError> {
    if let Some(base) = base {
        let next = base.checked_add(1).ok_or_else(|| {
            ApiError::new(ErrorCode::BadRequest, "--port-base leaves no second port")
        })?;
        return Ok([base, next]);
    }
    // Both are held at once, so that they differ.
    let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let sockets = [bind().map_err(internal)?, bind().map_err(internal)?];
    let mut ports = [0; 2];
    for (port, socket) in ports.iter_mut().zip(&sockets) {
        *port = socket.local_addr().map_err(internal)?.port();
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ_and_given_ones_follow_each_other() {
        let [a, b] = ports(None).unwrap();
        assert_ne!(a, b);
        assert_eq!(ports(Some(7_000)).unwrap(), [7_000, 7_001]);
        assert_eq!(
            ports(Some(u16::MAX)).unwrap_err().code,
            ErrorCode::BadRequest
        );
    }

    #[test]
    fn a_directory_in_use_is_not_built_upon() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x"), "").unwrap();
        assert_eq!(
            World::in_directory(Some(dir.path())).unwrap_err().code,
            ErrorCode::Exists
        );
        let fresh = dir.path().join("fresh");
        assert_eq!(World::in_directory(Some(&fresh)).unwrap().root(), fresh);
        assert!(fresh.is_dir());
    }

    #[test]
    fn a_temporary_world_leaves_nothing_behind() {
        let world = World::in_directory(None).unwrap();
        let root = world.root().to_owned();
        assert!(root.is_dir());
        drop(world);
        assert!(!root.exists());
    }
}
