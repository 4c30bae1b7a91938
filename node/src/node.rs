//! The node: what every module works on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use mandorla_control::{ApiError, ErrorCode, Role};
use mandorla_kernels::Kernel;
use mandorla_store::{LedgerEvent, Store, StoreError};
use mandorla_transport::{Connection, Endpoint, PeerKey};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Config;
use crate::events::Event;
use crate::identity::Identity;
use crate::peers::Admitted;
use crate::pseudonym::PseudonymKey;
use crate::review::Desk;
use crate::rounds::{Runtime, Workers};

/// An open node.
pub struct Node {
    /// Configuration.
    pub(crate) config: Config,
    /// Data directory.
    pub(crate) data_dir: PathBuf,
    /// Keys.
    pub(crate) identity: Arc<Identity>,
    /// Names of subjects in the ledger.
    pub(crate) pseudonyms: PseudonymKey,
    /// Database, run files, ledger.
    pub(crate) store: Store,
    /// Time.
    pub(crate) clock: Clock,
    /// Batch arithmetic.
    pub(crate) kernel: Kernel,
    /// QUIC endpoint, once listening.
    pub(crate) endpoint: OnceLock<Endpoint>,
    /// Set to true to stop.
    pub(crate) stopping: watch::Sender<bool>,
    /// When the daemon started, Unix seconds.
    pub(crate) started_s: u64,
    /// Who may connect, by transport key: of every peer in the table, also with keys whose overlap has not ended.
    pub(crate) peer_keys: RwLock<HashMap<PeerKey, Admitted>>,
    /// Peers that are to come back later, and the Unix millisecond from which on they are welcome again.
    pub(crate) quiet: Mutex<HashMap<PeerKey, u64>>,
    /// Held by the one load of a dataset that may be under way.
    pub(crate) loading: Mutex<()>,
    /// Open connections of peers, to be closed when a peer must be kept quiet.
    pub(crate) connections: Mutex<Vec<Connection>>,
    /// Group arithmetic.
    pub(crate) workers: Workers,
    /// What runs beside the store for rounds.
    pub(crate) rounds: Runtime,
    /// Holds the release key.
    pub(crate) desk: Desk,
}

/// Who makes a call, as the node sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Name in the ledger.
    pub name: String,
    /// Roles.
    pub roles: Vec<Role>,
    /// The caller's own account. `None` for a named user without one, whom only the node's owner can act as.
    pub uid: Option<u32>,
}

impl Caller {
    /// Whether the caller holds one of the roles; an empty list asks for none.
    pub fn has_any(&self, roles: &[Role]) -> bool {
        roles.is_empty() || roles.iter().any(|role| self.roles.contains(role))
    }

    /// Whether this is the person that was recorded under a name and an account: one name, or one account behind two.
    pub fn is_person(&self, name: &str, uid: Option<u32>) -> bool {
        self.name == name || (uid.is_some() && self.uid == uid)
    }
}

impl Node {
    /// The party code of this node.
    pub fn code(&self) -> &str {
        &self.config.code
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// A ledger event at this moment.
    pub(crate) fn event(&self, event: Event) -> LedgerEvent {
        LedgerEvent::new(self.clock.now_s(), event.operation(), event.name())
    }

    /// A ledger event by a caller in a role.
    pub(crate) fn event_by(&self, event: Event, caller: &Caller, role: Role) -> LedgerEvent {
        self.event(event).by(caller.name.clone(), role.word())
    }
}

/// What a store failure means to the caller: never a detail of stored data.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(crate) fn storage(error: StoreError) -> ApiError {
    ApiError::new(ErrorCode::Storage, error.to_string())
        .hint("look at free space and owner of the data directory; then mandorla node stop, and mandorla node run")
}
