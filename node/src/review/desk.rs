//! The holder of the release key.

use std::sync::Arc;

use mandorla_protocol::responder::Questioned;
use mandorla_protocol::{
    LocalFault, NodeKey, QuestionApproval, QuestionSummary, Release, ReleaseSigner, ReleasedItem,
};

use crate::identity::Identity;

/// Makes approvals and released items; lives in the review module alone, and nothing else asks for release keys.
pub(crate) struct Desk(Arc<Identity>);

impl Desk {
    pub(crate) fn new(identity: Arc<Identity>) -> Self {
        Self(identity)
    }

    /// An authoriser approved sending this question, in a round whose terms name this own key.
    pub(super) fn approve(
        &self,
        own: &NodeKey,
        summary: QuestionSummary,
    ) -> Result<QuestionApproval, LocalFault> {
        Ok(QuestionApproval::approve(summary, &self.signer(own)?))
    }

    /// An authoriser released this hit.
    pub(super) fn release(
        &self,
        questioned: &Questioned,
        release: &Release<'_>,
    ) -> Result<ReleasedItem, LocalFault> {
        let own = questioned.terms().offer().responder;
        questioned.release(release, &self.signer(&own)?)
    }

    /// The release key that belongs to a signing key of this node.
    fn signer(&self, own: &NodeKey) -> Result<ReleaseSigner, LocalFault> {
        let set = self.0.signer_for(own).ok_or(LocalFault::KeysErased)?;
        Ok(set.desk_signer())
    }
}
