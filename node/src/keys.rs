//! What an operator does with the node's keys.

use mandorla_control::{ErrorCode, Role};
use mandorla_store::StoreError;

use crate::data_dir::seal_word;
use crate::events::Event;
use crate::identity::IdentityError;
use crate::node::Node;
use crate::rounds::os_rng;
use crate::seal::Seal;
use crate::server::own_account;

/// Why the keys are not sealed anew.
#[derive(Debug, thiserror::Error)]
pub enum SealKeysError {
    /// The key file cannot be written.
    #[error(transparent)]
    Keys(#[from] IdentityError),
    /// The change cannot be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SealKeysError {
    /// The code that the command line reports it under.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Keys(error) => error.code(),
            Self::Store(_) => ErrorCode::Storage,
        }
    }

    /// The next command.
    pub fn hint(&self) -> String {
        match self {
            Self::Keys(error) => error.hint(),
            Self::Store(_) => "look at free space, owner and mode of the data directory".to_owned(),
        }
    }
}

impl Node {
    /// Writes the key file anew, sealed as given or not at all, with its ledger entry. This open node goes on with the
    /// keys that it has read; the next start needs the new secret.
    ///
    /// # Errors
    /// [`SealKeysError`]; the old key file is then still there, or the whole new one.
    pub fn seal_keys(&self, seal: Option<&Seal>) -> Result<(), SealKeysError> {
        self.store.write(|tx| {
            let event = self
                .event(Event::KeysSealed)
                .by(own_account(), Role::Operator.word())
                .detail("before", seal_word(self.identity.sealed()))
                .detail("now", seal_word(seal.map(Seal::kind)));
            tx.append_ledger(event)?;
            // Last, so that no change of the file goes unrecorded unless the commit itself fails.
            self.identity
                .write_sealed(self.data_dir(), seal, &mut os_rng())?;
            Ok(())
        })
    }
}
