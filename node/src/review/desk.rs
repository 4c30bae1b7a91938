//! The holder of the release key.

use mandorla_protocol::responder::Questioned;
use mandorla_protocol::{
    LocalFault, QuestionApproval, QuestionSummary, Release, ReleaseSigner, ReleasedItem,
};

use crate::identity::Identity;

/// Makes approvals and released items; lives in the review module alone.
pub(crate) struct Desk(ReleaseSigner);

impl Desk {
    pub(crate) fn new(identity: &Identity) -> Self {
        Self(identity.desk_signer())
    }

    /// An authoriser approved sending this question.
    pub(super) fn approve(&self, summary: QuestionSummary) -> QuestionApproval {
        QuestionApproval::approve(summary, &self.0)
    }

    /// An authoriser released this hit.
    pub(super) fn release(
        &self,
        questioned: &Questioned,
        release: &Release<'_>,
    ) -> Result<ReleasedItem, LocalFault> {
        questioned.release(release, &self.0)
    }
}
