//! `mandorla round …`.

use serde::{Deserialize, Serialize};

use crate::call::calls;

/// What a round would do; nothing is sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoundPlan {
    /// The round.
    pub round: RoundRequest,
}

/// Starts a round: terms and evaluation at once, the question after the own authoriser's approval.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoundPropose {
    /// The round.
    pub round: RoundRequest,
}

/// A question to a peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoundRequest {
    /// Id of the agreement.
    pub agreement: String,
    /// Own dataset.
    pub dataset: String,
    /// The peer's dataset; may be left out where the agreement names only one.
    pub peer_dataset: Option<String>,
    /// Party code of the peer.
    pub peer: String,
    /// Purpose code of the agreement.
    pub purpose: String,
    /// Case reference; opened to the peer with the question.
    pub case_reference: String,
}

/// All rounds, own and peers'.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoundList {
    /// Only rounds in this state.
    pub state: Option<String>,
}

/// One round. With `after_revision`, waits until the round has changed since, or `wait_ms` have passed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoundShow {
    /// Id of the round on this node.
    pub round: String,
    /// Revision that the caller has seen.
    pub after_revision: Option<u64>,
    /// How long to wait for a newer one, milliseconds, at most 30,000.
    pub wait_ms: Option<u64>,
}

/// Ends an own round before its question is sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoundCancel {
    /// Id of the round.
    pub round: String,
    /// Why, for the ledger.
    pub reason: String,
}

calls! {
    "round/plan" [Analyst] RoundPlan -> RoundPlanned;
    "round/propose" [Analyst] RoundPropose -> RoundView;
    "round/list" [] RoundList -> Vec<RoundView>;
    "round/show" [] RoundShow -> RoundView;
    "round/cancel" [Analyst] RoundCancel -> RoundView;
}

/// What would happen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoundPlanned {
    /// The agreement and its state.
    pub agreement: String,
    /// Own subjects.
    pub subjects: u64,
    /// Own match keys, by type, in the agreement's order.
    pub match_keys: Vec<(String, u64)>,
    /// Own subjects that take no part, by the predicate of the agreement's scope or the node's policy that keeps them out.
    pub excluded: Vec<(String, u64)>,
    /// Cells of the question, padding included.
    pub cells: u64,
    /// Bytes of the question.
    pub question_bytes: u64,
    /// Bytes of each answer.
    pub answer_bytes: u64,
    /// Answer slots, seconds after the question.
    pub slots_s: Vec<u64>,
    /// Clauses that would refuse it now; empty if none.
    pub refusals: Vec<String>,
}

/// Where a round stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoundView {
    /// Id on this node: `R-…` asked by us, `Q-…` asked of us.
    pub id: String,
    /// Counts changes, for watching.
    pub revision: u64,
    /// `requester` or `responder`.
    pub role: String,
    /// Party code of the peer.
    pub peer: String,
    /// Agreement id.
    pub agreement: String,
    /// Purpose code.
    pub purpose: String,
    /// Case reference; on the responder's side known once the question has come.
    pub case_reference: Option<String>,
    /// Own dataset.
    pub dataset: String,
    /// Who proposed it (own rounds).
    pub proposed_by: Option<String>,
    /// `negotiating`, `evaluating`, `awaiting-approval`, `sending`, `awaiting-answers`, `questioned`, `matched`, `closed`, `ended`.
    pub state: String,
    /// What the state waits for, in words, or why the round ended.
    pub detail: String,
    /// Id of the round on the wire, hexadecimal, once terms are signed.
    pub wire_id: Option<String>,
    /// Chunks done and in all, while evaluating.
    pub chunks: Option<(u64, u64)>,
    /// Own subjects.
    pub subjects: u64,
    /// The peer's padded subjects.
    pub peer_subjects_padded: Option<u64>,
    /// Cells of the question, padding included.
    pub cells: Option<u64>,
    /// Evaluations charged, padding included.
    pub evaluations: Option<u64>,
    /// When it was proposed, Unix seconds.
    pub started_at: u64,
    /// Until when the own authoriser may decide, Unix seconds.
    pub approve_until: Option<u64>,
    /// When the question was acknowledged.
    pub asked_at: Option<u64>,
    /// Answer slots: due time and whether the answer was fetched (requester) or frozen (responder).
    pub slots: Vec<SlotView>,
    /// When it closes.
    pub closes_at: Option<u64>,
    /// UDP payload bytes of this round's connections: sent, received.
    pub wire_bytes: (u64, u64),
}

/// One answer slot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SlotView {
    /// When it is due, Unix seconds.
    pub due: u64,
    /// Requester: fetched, receipted and opened. Responder: frozen.
    pub done: bool,
}
