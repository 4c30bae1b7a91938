//! What an operator does with the node's keys: seal them, change them, take trust from them.
//!
//! ```text
//!   rotate   next keys made ─► every peer verifies, stores, countersigns ─► current at the next start
//!                                    (again: goes on)                        old ones former ─ overlap ends ─► erased
//!   revoke   new keys current, old ones revoked, agreements suspended, rounds ended, node stopped; cards anew
//! ```

mod revoke;
mod rotate;
mod tend;
#[cfg(test)]
mod tests;

use mandorla_control::{ApiError, ErrorCode, KeyList, KeyRevoke, KeyRotate, Role};
use mandorla_store::StoreError;

use crate::data_dir::seal_word;
use crate::events::Event;
use crate::identity::IdentityError;
use crate::node::Node;
use crate::pseudonym::PseudonymKey;
use crate::rounds::os_rng;
use crate::seal::Seal;
use crate::server::{Routes, accounts};

pub(crate) use self::revoke::end_rounds;
pub use self::tend::EraseError;
pub(crate) use self::tend::{erase_due, tend};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .call::<KeyList>()
        .call::<KeyRotate>()
        .call::<KeyRevoke>()
}

/// A failure of the key file, in the words of a call.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn file_failed(error: IdentityError) -> ApiError {
    ApiError::new(error.code(), error.to_string()).hint(error.hint())
}

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
    /// Writes the key files anew, sealed as given or not at all, with its ledger entry. This open node goes on with the
    /// keys that it has read; the next start needs the new secret.
    ///
    /// # Errors
    /// [`SealKeysError`]; the old key file is then still there, or the whole new one.
    pub fn seal_keys(&self, seal: Option<&Seal>) -> Result<(), SealKeysError> {
        self.store.write(|tx| {
            let event = self
                .event(Event::KeysSealed)
                .by(accounts::own_name(), Role::Operator.word())
                .detail("before", seal_word(self.identity.sealed()))
                .detail("now", seal_word(seal.map(Seal::kind)));
            tx.append_ledger(event)?;
            // The key of the pseudonyms is there under both seals until the other keys are under the new one.
            self.pseudonyms
                .prepare(&self.data_dir, seal, &mut os_rng())?;
            // Last, so that no change of the file goes unrecorded unless the commit itself fails.
            self.identity.write_sealed(seal)?;
            PseudonymKey::commit(&self.data_dir)?;
            Ok(())
        })
    }
}
