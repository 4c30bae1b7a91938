//! Opening a node: configuration, keys, store, kernel.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use mandorla_control::ErrorCode;
use mandorla_kernels::{Kernel, LevelError};
use mandorla_store::{Store, StoreConfig, StoreError};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::{CONFIG_NAME, Config, ConfigError};
use crate::datasets;
use crate::events::Event;
use crate::identity::{Identity, IdentityError};
use crate::keys::{self, EraseError};
use crate::node::Node;
use crate::peers;
use crate::permissions::{self, PermissionError};
use crate::pseudonym::PseudonymKey;
use crate::records::SCHEMA;
use crate::review::Desk;
use crate::rounds::{Runtime, Workers, os_rng, sweep_seeds};
use crate::seal::Seal;

/// Why a node cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory holds no node.
    #[error("{} holds no node", data_dir.display())]
    NotInitialised {
        /// The directory.
        data_dir: PathBuf,
    },
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Other accounts could reach the node's files.
    #[error(transparent)]
    Permission(#[from] PermissionError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] IdentityError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys whose overlap has ended cannot be erased.
    #[error(transparent)]
    Erase(#[from] EraseError),
    /// The kernel asked for cannot be used.
    #[error(transparent)]
    Kernel(#[from] LevelError),
    /// Core dumps of this process cannot be switched off, and one would hold keys and records.
    #[error("core dumps cannot be switched off: {0}")]
    CoreDumps(io::Error),
}

impl OpenError {
    /// The code that the command line reports it under.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotInitialised { .. } => ErrorCode::NotInitialised,
            Self::Config(_) | Self::Kernel(_) => ErrorCode::BadConfig,
            Self::Store(StoreError::InUse { .. }) => ErrorCode::AlreadyRunning,
            Self::Permission(_) | Self::Store(StoreError::OpenToOthers { .. }) => {
                ErrorCode::OpenToOthers
            }
            Self::Keys(error) => error.code(),
            Self::Store(_) | Self::Erase(_) | Self::CoreDumps(_) => ErrorCode::Storage,
        }
    }

    /// The next command.
    pub fn hint(&self) -> String {
        let fixed = match self {
            Self::Permission(error) => return error.hint(),
            Self::Keys(error) => return error.hint(),
            Self::Store(StoreError::OpenToOthers { path, wanted, .. }) => {
                return format!("chmod {wanted:o} {}", path.display());
            }
            Self::NotInitialised { .. } => "mandorla init --name NAME --country CC",
            Self::Config(_) => "correct it, then: mandorla config check",
            Self::Kernel(_) => "unset MANDORLA_KERNEL, or name a level that this processor has",
            Self::Store(StoreError::InUse { .. }) => "mandorla status; mandorla node stop",
            Self::Store(_) | Self::Erase(_) | Self::CoreDumps(_) => {
                "look at free space, owner and mode of the data directory"
            }
        };
        fixed.to_owned()
    }
}

impl Node {
    /// Opens the node in a data directory, its keys with `seal`. One process at a time can have it open.
    ///
    /// From here on this process leaves no core dump and cannot be traced by other processes of the same account: its
    /// memory holds keys and records.
    pub fn open(
        data_dir: &Path,
        clock: Clock,
        seal: Option<&Seal>,
    ) -> Result<Arc<Self>, OpenError> {
        keep_memory_private().map_err(OpenError::CoreDumps)?;
        if !data_dir.join(CONFIG_NAME).exists() {
            return Err(OpenError::NotInitialised {
                data_dir: data_dir.to_owned(),
            });
        }
        permissions::check_data_dir(data_dir)?;
        permissions::check_config(&data_dir.join(CONFIG_NAME))?;
        let config = Config::read(data_dir)?;
        permissions::check_socket_dir(&config.socket_path(data_dir))?;
        let identity = Arc::new(Identity::read(data_dir, seal)?);
        let store = Store::open(
            data_dir,
            StoreConfig {
                node_name: config.code.clone(),
                signing_key: identity.ledger_key(),
                retired_keys: identity.earlier_ledger_keys(),
                schema: SCHEMA,
                migrations: &[],
                now_unix_s: clock.now_s(),
            },
        )?;
        let (pseudonyms, made) =
            PseudonymKey::open(data_dir, identity.sealed().and(seal), &mut os_rng())?;
        let node = Self {
            started_s: clock.now_s(),
            kernel: Kernel::detect()?,
            data_dir: data_dir.to_owned(),
            endpoint: OnceLock::new(),
            stopping: watch::Sender::new(false),
            peer_keys: RwLock::new(HashMap::new()),
            quiet: Mutex::new(HashMap::new()),
            connections: Mutex::new(Vec::new()),
            loading: Mutex::new(()),
            workers: Workers::new(config.threads),
            rounds: Runtime::default(),
            desk: Desk::new(Arc::clone(&identity)),
            config,
            identity,
            pseudonyms,
            store,
            clock,
        };
        if made {
            let event = node
                .event(Event::PseudonymKeyMade)
                .detail("check_value", node.pseudonyms.check_value());
            let entry = node.store.write(|tx| tx.append_ledger(event))?;
            // The first start makes it, right after the store.
            if entry > 1 {
                tracing::warn!(
                    "pseudonym.key was gone and was made anew: the ledger names the same person differently from now on; \
                     to undo it, stop the node and put back the one that `mandorla backup restore` writes to another directory"
                );
            }
        }
        peers::refresh(&node)?;
        datasets::sweep(&node)?;
        sweep_seeds(&node)?;
        keys::erase_due(&node)?;
        Ok(Arc::new(node))
    }
}

fn keep_memory_private() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_without_a_node_is_named_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let error = Node::open(dir.path(), Clock::System, None).err().unwrap();
        assert_eq!(error.code(), ErrorCode::NotInitialised);
    }

    #[test]
    fn an_open_node_cannot_dump_its_memory() {
        keep_memory_private().unwrap();
        let limit = rustix::process::getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        let behaviour = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(behaviour, DumpableBehavior::NotDumpable);
    }
}
