//! The salted commitment to the own ledger that answers and receipts carry: only the auditor can open it.

use mandorla_protocol::checkpoint::{Checkpoint, SignedNote};
use mandorla_protocol::{Digest, ledger_commitment};
use rand_core::Rng as _;

use crate::node::Node;
use crate::rounds::error::RoundError;
use crate::rounds::os_rng;

/// A commitment, and what opens it.
pub(crate) struct LedgerCommitment {
    pub digest: Digest,
    pub salt: [u8; 32],
    /// Entries that the ledger had.
    pub size: u64,
}

/// Commits to the ledger as it is now, with a fresh salt.
pub(crate) fn commit_to_ledger(node: &Node) -> Result<LedgerCommitment, RoundError> {
    let note = node.store.checkpoint()?;
    let root = SignedNote::parse(&note)
        .and_then(|note| Checkpoint::parse(note.text()))
        .map_err(|_| RoundError::Storage("the ledger's checkpoint cannot be read".to_owned()))?;
    let mut salt = [0; 32];
    os_rng().fill_bytes(&mut salt);
    Ok(LedgerCommitment {
        digest: ledger_commitment(&salt, &Digest(*root.root())),
        salt,
        size: root.size(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_commitments_to_one_ledger_have_nothing_in_common() {
        let (_dir, _, node) = crate::test_node::node();
        let [one, other] = [
            commit_to_ledger(&node).unwrap(),
            commit_to_ledger(&node).unwrap(),
        ];
        assert_ne!(one.salt, other.salt);
        assert_ne!(one.digest, other.digest);
    }
}
