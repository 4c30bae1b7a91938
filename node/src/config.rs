//! `node.toml`: what the operator decides about this node.

mod check;
mod lines;
mod settings;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mandorla_agreement::LocalPolicy;
use mandorla_control::Role;
use serde::{Deserialize, Serialize};

pub use self::check::Finding;
pub(crate) use self::check::SOCKET_PATH_BYTES_MAX;
pub use self::settings::{Origin, Setting, settings};
use crate::sealing::AuditorPublicKey;

/// File name in the data directory.
pub(crate) const CONFIG_NAME: &str = "node.toml";

/// The configuration of a node. Unknown keys are errors.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Always 1.
    pub schema: u32,
    /// Name for people.
    pub name: String,
    /// Party code in agreements, `[A-Z][A-Z0-9-]{1,15}`.
    pub code: String,
    /// ISO 3166 alpha-2 country code.
    pub country: String,
    /// UDP address to listen on for peers.
    pub listen: SocketAddr,
    /// UDP address that the card names, where it differs from `listen`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advertise: Option<String>,
    /// Control socket; in the data directory if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// Group that may connect to the control socket, by name or number; that of the node's process if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket_group: Option<String>,
    /// Worker threads for group arithmetic; all cores if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// The auditor's public key, 64 hexadecimal digits: the seed of every round's blinds is sealed to it. Without one the
    /// seed is dropped, and nobody can later check what was put to the peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auditor_key: Option<AuditorPublicKey>,
    /// Local limits: the effective rule is always the agreement *and* these.
    #[serde(default)]
    pub policy: LocalPolicy,
    /// Roles that groups of the operating system give.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<Role, RoleHolders>,
    /// Named users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user: Vec<User>,
}

/// Who holds a role by group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleHolders {
    /// Groups by name or number; each member of one, also as a supplementary group, holds the role.
    pub groups: Vec<String>,
}

/// A named user and what they may do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Name in the ledger.
    pub name: String,
    /// Roles, beside those of the account's groups.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Operating-system account of this user; without one, only the node's owner can act as this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_user: Option<String>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a valid configuration.
    #[error("{path}: {message}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line.
        message: String,
    },
}

impl Config {
    /// Reads `node.toml` of a data directory.
    pub fn read(data_dir: &Path) -> Result<Self, ConfigError> {
        let path = data_dir.join(CONFIG_NAME);
        let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Read {
            path: path.clone(),
            source,
        })?;
        Self::parse(&text).map_err(|message| ConfigError::Invalid { path, message })
    }

    /// Parses and checks the text of a configuration; the error names line, key, bound and fix.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::checked(text).map_err(|findings| {
            let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
            findings.join("; ")
        })
    }

    /// Parses and checks the text of a configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it, at least one finding.
    pub fn checked(text: &str) -> Result<Self, Vec<Finding>> {
        check::checked(text)
    }

    /// What an operator should look at although the configuration can be used: groups and accounts that this host does
    /// not know, a socket that nobody else can get to.
    pub fn warnings(&self, text: &str, data_dir: &Path) -> Vec<Finding> {
        check::warnings(self, text, data_dir)
    }

    /// The control socket of a node in this data directory.
    pub fn socket_path(&self, data_dir: &Path) -> PathBuf {
        self.socket
            .clone()
            .unwrap_or_else(|| data_dir.join("control.sock"))
    }
}
