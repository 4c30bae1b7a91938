//! The question: pending at the authoriser, then sent. Durable from here on; no secret but the cells and hit keys
//! in the caller's files.

use bincode::{Decode, Encode};

use crate::approval::{QuestionApproval, QuestionSummary};
use crate::error::{LocalFault, ProtocolError};
use crate::ids::Digest;
use crate::labels;
use crate::message::Message;
use crate::pair_log::EndReason;
use crate::requester::AwaitingAnswers;
use crate::signature::{NodeSigner, Role, SignatureBytes, verify};
use crate::terms::{Terms, check_clock};

/// Cells are written, keys erased; waits for the own authoriser.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PendingQuestion {
    terms: Terms,
    case_reference: String,
    case_salt: [u8; 32],
    question_root: Digest,
    evaluation_root: Digest,
}

impl PendingQuestion {
    pub(super) fn new(
        terms: Terms,
        case_reference: String,
        case_salt: [u8; 32],
        question_root: Digest,
        evaluation_root: Digest,
    ) -> Self {
        Self {
            terms,
            case_reference,
            case_salt,
            question_root,
            evaluation_root,
        }
    }

    /// The terms of the round.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What the authoriser decides on.
    pub fn summary(&self) -> QuestionSummary {
        QuestionSummary::new(&self.terms, self.question_root)
    }

    /// Root over all evaluated chunks.
    pub fn evaluation_root(&self) -> Digest {
        self.evaluation_root
    }

    /// The acknowledgement of the evaluation: repeated on every new connection, since it may have been lost.
    pub fn evaluated_ack(&self, signer: &NodeSigner) -> Message {
        let parts: [&[u8]; 3] = [
            &Role::Requester.byte(),
            &self.terms.round_id().0,
            &self.evaluation_root.0,
        ];
        Message::EvaluatedAck {
            signature: signer.sign(labels::EVALUATION, &parts),
        }
    }

    /// The authoriser approved exactly this question.
    pub fn approve(self, approval: &QuestionApproval) -> Result<Seeking, LocalFault> {
        let approval = approval.signature_for(&self.summary())?;
        Ok(Seeking {
            question: self,
            approval,
        })
    }

    /// The round ends without a question; the peer is told.
    pub fn withdraw(&self, reason: EndReason, signer: &NodeSigner) -> Message {
        let byte = reason as u8;
        let signature = signer.sign(labels::WITHDRAW, &[&self.terms.round_id().0, &[byte]]);
        Message::Withdraw {
            reason: byte,
            signature,
        }
    }
}

/// Approved; sends the question until it is acknowledged.
///
/// It is made from an approval and from nothing less:
/// ```
/// # use mandorla_protocol::{LocalFault, QuestionApproval, requester::{PendingQuestion, Seeking}};
/// fn ask(question: PendingQuestion, approval: &QuestionApproval) -> Result<Seeking, LocalFault> {
///     question.approve(approval)
/// }
/// ```
/// ```compile_fail,E0061
/// # use mandorla_protocol::{LocalFault, requester::{PendingQuestion, Seeking}};
/// fn ask(question: PendingQuestion) -> Result<Seeking, LocalFault> {
///     question.approve()
/// }
/// ```
/// ```compile_fail,E0451
/// # use mandorla_protocol::requester::{PendingQuestion, Seeking};
/// fn ask(question: PendingQuestion) -> Seeking {
///     Seeking { question, approval: [0; 64] }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Seeking {
    question: PendingQuestion,
    approval: SignatureBytes,
}

impl Seeking {
    /// The terms of the round.
    pub fn terms(&self) -> &Terms {
        &self.question.terms
    }

    /// What was approved, for withdrawal.
    pub fn question(&self) -> &PendingQuestion {
        &self.question
    }

    /// The message that announces the cells; may be sent again. Refused if it was not sent before the deadline.
    /// `first_sent`: when that was, by the own clock; now, if it was not sent yet.
    pub fn seek(&self, signer: &NodeSigner, first_sent: u64) -> Result<Message, LocalFault> {
        let PendingQuestion {
            terms,
            case_reference,
            case_salt,
            question_root,
            ..
        } = &self.question;
        if first_sent > terms.question_deadline() {
            return Err(LocalFault::Lapsed);
        }
        let parts: [&[u8]; 3] = [&terms.round_id().0, &question_root.0, &self.approval];
        Ok(Message::Seek {
            question_root: *question_root,
            count: terms.cells(),
            case_reference: case_reference.clone(),
            case_salt: *case_salt,
            approval: self.approval,
            signature: signer.sign(labels::SEEK, &parts),
        })
    }

    /// The responder has the question durably. Its clock at that moment, `t0`, fixes every later time.
    ///
    /// The acknowledgement may be of an earlier sending: `t0` is not before `first_sent` nor after `now`, both by the
    /// own clock, but for the difference that clocks may have.
    pub fn handle_seek_ack(
        &self,
        t0: u64,
        signature: &SignatureBytes,
        first_sent: u64,
        now: u64,
    ) -> Result<AwaitingAnswers, ProtocolError> {
        let terms = &self.question.terms;
        check_clock(t0.clamp(first_sent.min(now), now), t0)?;
        let root = self.question.question_root;
        verify(
            "the acknowledgement",
            &terms.offer().responder.0,
            labels::SEEK_ACK,
            &[&terms.round_id().0, &root.0, &t0.to_le_bytes()],
            signature,
        )?;
        Ok(AwaitingAnswers::new(terms.clone(), root, t0, *signature))
    }
}
