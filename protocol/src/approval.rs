//! The requester's authoriser approves sending a question: a token that only the review desk can make.

use crate::error::{LocalFault, PeerFault};
use crate::ids::{Digest, RoundId};
use crate::labels;
use crate::signature::{ReleaseSigner, SignatureBytes, verify};
use crate::terms::Terms;

/// Everything the authoriser approves, as shown on one page; its digests are bound into the approval, so that
/// dataset, rules, peer or terms cannot be swapped afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionSummary {
    /// Round, and through it all terms.
    pub round_id: RoundId,
    /// Root over all cells.
    pub question_root: Digest,
    pub(crate) parts: ApprovalParts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApprovalParts {
    agreement: Digest,
    responder: [u8; 32],
    purpose: String,
    rules: Digest,
    dataset_commitment: Digest,
}

impl QuestionSummary {
    pub(crate) fn new(terms: &Terms, question_root: Digest) -> Self {
        let offer = terms.offer();
        let parts = ApprovalParts {
            agreement: offer.agreement,
            responder: offer.responder.0,
            purpose: offer.purpose.clone(),
            rules: offer.rules,
            dataset_commitment: offer.dataset_commitment,
        };
        Self {
            round_id: terms.round_id(),
            question_root,
            parts,
        }
    }

    fn signed_parts(&self) -> [&[u8]; 7] {
        [
            &self.round_id.0,
            &self.parts.agreement.0,
            &self.parts.responder,
            self.parts.purpose.as_bytes(),
            &self.parts.rules.0,
            &self.parts.dataset_commitment.0,
            &self.question_root.0,
        ]
    }

    pub(crate) fn verify(
        &self,
        release_key: &[u8; 32],
        approval: &SignatureBytes,
    ) -> Result<(), PeerFault> {
        verify(
            "the approval",
            release_key,
            labels::APPROVAL,
            &self.signed_parts(),
            approval,
        )
        .map_err(|_| PeerFault::Approval)
    }
}

/// An approval of one question; without it the question cannot be sent, and the responder refuses it.
///
/// Only who holds the review desk's key can make one:
/// ```
/// # use mandorla_protocol::{QuestionApproval, QuestionSummary, ReleaseSigner};
/// fn approve(summary: QuestionSummary, desk: &ReleaseSigner) -> QuestionApproval {
///     QuestionApproval::approve(summary, desk)
/// }
/// ```
/// ```compile_fail,E0308
/// # use mandorla_protocol::{NodeSigner, QuestionApproval, QuestionSummary};
/// fn approve(summary: QuestionSummary, node: &NodeSigner) -> QuestionApproval {
///     QuestionApproval::approve(summary, node)
/// }
/// ```
/// ```compile_fail,E0451
/// # use mandorla_protocol::{QuestionApproval, QuestionSummary};
/// fn approve(summary: QuestionSummary) -> QuestionApproval {
///     QuestionApproval { summary, signature: [0; 64] }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct QuestionApproval {
    summary: QuestionSummary,
    signature: SignatureBytes,
}

impl QuestionApproval {
    /// The authoriser approves what `summary` says. Only the review desk holds a [`ReleaseSigner`].
    pub fn approve(summary: QuestionSummary, desk: &ReleaseSigner) -> Self {
        let signature = desk.sign(labels::APPROVAL, &summary.signed_parts());
        Self { summary, signature }
    }

    /// The signature, if the approval is for exactly this question.
    pub(crate) fn signature_for(
        &self,
        summary: &QuestionSummary,
    ) -> Result<SignatureBytes, LocalFault> {
        if self.summary == *summary {
            Ok(self.signature)
        } else {
            Err(LocalFault::ApprovalMismatch)
        }
    }
}
