//! `mandorla round …`.

use std::sync::Arc;
use std::time::Duration;

use mandorla_agreement::{Counters, Refusal as RuleRefusal};
use mandorla_control::{
    ApiError, ErrorCode, Role, RoundCancel, RoundList, RoundPlan, RoundPlanned, RoundPropose,
    RoundRequest, RoundShow, RoundView,
};
use mandorla_protocol::{EndReason, size_class_log2};
use mandorla_store::{AgreementRef, StoreError};

use super::index::{OwnIndex, policy_scope};
use super::reconcile;
use super::refusals::{self, Broken};
use super::rules::{Facts, Ruled, counters, counters_in, fields, own_set, peer_set};
use super::start;
use super::update::{create, required, update};
use super::view::view;
use crate::agreements;
use crate::events::Event;
use crate::justification::{Reason, justified};
use crate::node::{Caller, Node, storage};
use crate::records::dataset::{DATASETS, DatasetRecord};
use crate::records::round::{About, ROUNDS, RoundRecord, RoundState, Side};
use crate::server::{Routes, Serve};

/// Longest wait of one `round show`.
const WAIT_MAX_MS: u64 = 30_000;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .call::<RoundPlan>()
        .call::<RoundPropose>()
        .call::<RoundList>()
        .call::<RoundShow>()
        .call::<RoundCancel>()
}

/// What a request comes to: the agreement in its direction, and both datasets' names.
struct Resolved {
    ruled: Ruled,
    dataset: DatasetRecord,
    peer_dataset: String,
}

/// Why a request comes to nothing.
enum Unresolved {
    /// It names what is not there.
    Unknown(ApiError),
    /// The agreement cannot be used.
    Refused(Box<(AgreementRef, Broken, ApiError)>),
}

impl From<ApiError> for Unresolved {
    fn from(error: ApiError) -> Self {
        Self::Unknown(error)
    }
}

impl Unresolved {
    fn into_error(self) -> ApiError {
        match self {
            Self::Unknown(error) => error,
            Self::Refused(refused) => refused.2,
        }
    }
}

fn resolve(node: &Node, request: &RoundRequest) -> Result<Resolved, Unresolved> {
    let held = agreements::find(node, &request.agreement)?;
    let reference = agreements::reference(&held.agreement);
    let (agreement, state) = (held.agreement, held.state);
    let refused = |broken: Broken| {
        let reference = reference.clone();
        move |error: ApiError| Unresolved::Refused(Box::new((reference, broken, error)))
    };
    agreements::check_parties(node, &agreement).map_err(refused(Broken::new("party", "party")))?;
    let ruled = Ruled::new(agreement, state, node.code(), &request.peer);
    ruled
        .terms_rules(node, None)
        .map_err(refused(Broken::new("direction", "limits")))?;
    let dataset = node
        .store
        .read()
        .and_then(|tx| tx.find(DATASETS, request.dataset.as_str()))
        .map_err(storage)?
        .ok_or_else(|| {
            let message = format!("there is no dataset {} on this node", request.dataset);
            ApiError::new(ErrorCode::NotFound, message).hint(format!(
                "mandorla dataset load {} FILE --map MAP",
                request.dataset
            ))
        })?;
    let peer_dataset = match &request.peer_dataset {
        Some(name) => name.clone(),
        None => only_dataset(&ruled.agreement, &request.peer)?,
    };
    Ok(Resolved {
        ruled,
        dataset,
        peer_dataset,
    })
}

fn only_dataset(agreement: &mandorla_agreement::Agreement, peer: &str) -> Result<String, ApiError> {
    let named: Vec<_> = agreement
        .terms()
        .dataset
        .iter()
        .filter(|dataset| dataset.party == peer)
        .collect();
    match named.as_slice() {
        [only] => Ok(only.id.clone()),
        [] => Err(ApiError::new(
            ErrorCode::Refused,
            format!("the agreement names no dataset of {peer}"),
        )
        .hint(format!("mandorla agreement show {}", agreement.id()))),
        _ => Err(ApiError::new(
            ErrorCode::BadRequest,
            format!("the agreement names several datasets of {peer}"),
        )
        .hint("name one with --peer-dataset")),
    }
}

/// Why the round may not happen now, if so. `subjects` of the own set take part, as far as they are counted.
fn refusal(
    node: &Node,
    request: &RoundRequest,
    resolved: &Resolved,
    subjects: u64,
) -> Result<Option<RuleRefusal>, StoreError> {
    let id = resolved.ruled.agreement.id();
    let counters = counters(node, Side::Requester, id, &request.peer, None)?;
    Ok(admit(node, request, resolved, subjects, &counters))
}

fn admit(
    node: &Node,
    request: &RoundRequest,
    resolved: &Resolved,
    subjects: u64,
    counters: &Counters,
) -> Option<RuleRefusal> {
    let Resolved {
        ruled,
        dataset,
        peer_dataset,
    } = resolved;
    let policy = &node.config.policy;
    let own_fields = fields(dataset);
    let facts = Facts {
        purpose: &request.purpose,
        case_reference_given: !request.case_reference.trim().is_empty(),
        requester: own_set(dataset, subjects, &own_fields),
        responder: peer_set(peer_dataset, ruled.unknown_responder_size(policy)),
        terms: None,
        evaluations: &[],
    };
    ruled
        .admit(policy, node.clock.now_s(), &facts, counters)
        .err()
}

impl Serve for RoundPlan {
    async fn serve(self, node: &Arc<Node>, _: &Caller) -> Result<RoundPlanned, ApiError> {
        let resolved = resolve(node, &self.round).map_err(Unresolved::into_error)?;
        let agreement = resolved.ruled.agreement.clone();
        let (inner, rows) = (
            Arc::clone(node),
            (resolved.dataset.generation, resolved.dataset.subjects),
        );
        let index = node
            .workers
            .run(move || OwnIndex::build(&inner, rows, &agreement))
            .await
            .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?
            .map_err(storage)?;
        let refusals = refusal(node, &self.round, &resolved, index.subjects()).map_err(storage)?;
        let terms = resolved.ruled.terms_rules(node, None)?;
        let cells = 1_u64
            << size_class_log2(index.incidences()).unwrap_or(mandorla_protocol::CLASS_LOG2_MAX);
        let cell_bytes = u64::from(terms.tag_bytes()) + mandorla_protocol::PAYLOAD_BYTES as u64;
        Ok(RoundPlanned {
            agreement: format!(
                "{} version {} ({})",
                resolved.ruled.agreement.id(),
                resolved.ruled.agreement.version(),
                resolved.ruled.state
            ),
            subjects: index.subjects(),
            excluded: index
                .excluded()
                .iter()
                .map(|(predicate, count)| ((*predicate).to_owned(), *count))
                .collect(),
            match_keys: terms
                .key_types
                .iter()
                .cloned()
                .zip(index.match_keys())
                .collect(),
            cells,
            question_bytes: cells * cell_bytes,
            answer_bytes: terms.answer_bytes() as u64,
            slots_s: terms.slots_s.iter().map(|&slot| slot.into()).collect(),
            refusals: refusals
                .into_iter()
                .map(|refusal| format!("refused: {refusal}"))
                .collect(),
        })
    }
}

impl Serve for RoundPropose {
    async fn serve(self, node: &Arc<Node>, caller: &Caller) -> Result<RoundView, ApiError> {
        let request = self.round;
        let resolved = match resolve(node, &request) {
            Ok(resolved) => resolved,
            Err(Unresolved::Refused(refused)) => {
                let (agreement, broken, error) = *refused;
                refusals::of_own(node, caller, agreement, &request.peer, &broken)
                    .map_err(storage)?;
                return Err(error);
            }
            Err(Unresolved::Unknown(error)) => return Err(error),
        };
        reconcile::check_before_round(node, &request.peer)?;
        let subjects = resolved.dataset.subjects;
        if let Some(refused) = refusal(node, &request, &resolved, subjects).map_err(storage)? {
            return Err(not_admitted(node, caller, &resolved, refused));
        }
        let about = About {
            peer: &request.peer,
            agreement: agreements::reference(&resolved.ruled.agreement),
            purpose: &request.purpose,
            dataset: &resolved.dataset,
            peer_dataset: &resolved.peer_dataset,
            policy_scope: policy_scope(node, resolved.ruled.agreement.id()),
        };
        let now = node.clock.now_s();
        let mut record = RoundRecord::begin(Side::Requester, RoundState::Negotiating, &about, now);
        "terms are being signed with the peer".clone_into(&mut record.detail);
        record.case_reference = Some(request.case_reference.trim().to_owned());
        record.proposed_by = Some(caller.name.clone());
        record.proposed_by_uid = caller.uid;
        let event = node
            .event_by(Event::RoundProposed, caller, Role::Analyst)
            .detail("peer", record.peer.clone())
            .detail("dataset", record.dataset.clone());
        let case = record.case_reference.as_deref();
        let event = justified(event, &resolved.ruled.agreement, node.code(), case);
        let stored = create(node, "R", record, event, |tx, record| {
            // Proposals at the same moment count each other.
            let counters = counters_in(tx, now, record)?;
            match admit(node, &request, &resolved, subjects, &counters) {
                None => Ok(()),
                Some(refused) => Err(Stop::Refused(refused)),
            }
        });
        let record = stored.map_err(|stop| match stop {
            Stop::Refused(refused) => not_admitted(node, caller, &resolved, refused),
            Stop::Store(error) => storage(error),
        })?;
        start(node, record.id.clone(), &record);
        view(node, &record).map_err(storage)
    }
}

/// Why a proposal was not stored.
#[derive(Debug)]
enum Stop {
    Refused(RuleRefusal),
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Records that an own proposal was refused, and says why.
fn not_admitted(
    node: &Node,
    caller: &Caller,
    resolved: &Resolved,
    refused: RuleRefusal,
) -> ApiError {
    let reference = agreements::reference(&resolved.ruled.agreement);
    let peer = &resolved.ruled.responder;
    match refusals::of_own(node, caller, reference, peer, &Broken::from(&refused)) {
        Ok(()) => {
            ApiError::new(ErrorCode::Refused, format!("refused: {refused}")).hint(refused.fix)
        }
        Err(error) => storage(error),
    }
}

impl Serve for RoundList {
    async fn serve(self, node: &Arc<Node>, _: &Caller) -> Result<Vec<RoundView>, ApiError> {
        let mut rounds = node
            .store
            .read()
            .and_then(|tx| tx.scan_all(ROUNDS))
            .map_err(storage)?;
        rounds.sort_by_key(|(_, round)| round.started_at);
        rounds
            .iter()
            .filter(|(_, round)| {
                self.state
                    .as_deref()
                    .is_none_or(|state| round.state.word() == state)
            })
            .map(|(_, round)| view(node, round).map_err(storage))
            .collect()
    }
}

impl Serve for RoundShow {
    async fn serve(self, node: &Arc<Node>, _: &Caller) -> Result<RoundView, ApiError> {
        let mut changes = node.rounds.changes();
        let wait = Duration::from_millis(self.wait_ms.unwrap_or(0).min(WAIT_MAX_MS));
        let deadline = tokio::time::Instant::now() + wait;
        let mut stopping = node.stopping.subscribe();
        loop {
            changes.borrow_and_update();
            let record = required(node, &self.round)?;
            let seen = self
                .after_revision
                .is_some_and(|seen| record.revision <= seen);
            if !seen || record.state.is_over() || *stopping.borrow() {
                return view(node, &record).map_err(storage);
            }
            tokio::select! {
                _ = changes.changed() => {}
                _ = stopping.changed() => {}
                () = tokio::time::sleep_until(deadline) => {
                    return view(node, &required(node, &self.round)?).map_err(storage);
                }
            }
        }
    }
}

impl Serve for RoundCancel {
    async fn serve(self, node: &Arc<Node>, caller: &Caller) -> Result<RoundView, ApiError> {
        required(node, &self.round)?;
        let reason = Reason::new(&self.reason, &caller.name, node.clock.now_s());
        let event = node
            .event_by(Event::RoundCancelled, caller, Role::Analyst)
            .detail("reason_commitment", reason.commitment());
        let record = end_own_round(node, &self.round, event, EndReason::Cancelled, &reason)?;
        view(node, &record).map_err(storage)
    }
}

/// Ends an own round whose question has not been sent: withdrawn if the peer waits for it.
pub(crate) fn end_own_round(
    node: &Node,
    id: &str,
    event: mandorla_store::LedgerEvent,
    reason: EndReason,
    why: &Reason,
) -> Result<RoundRecord, ApiError> {
    #[derive(Debug)]
    enum Stop {
        State(RoundState),
        Store(mandorla_store::StoreError),
    }
    impl From<mandorla_store::StoreError> for Stop {
        fn from(error: mandorla_store::StoreError) -> Self {
            Self::Store(error)
        }
    }
    let words = match reason {
        EndReason::Declined => "declined by an own authoriser",
        EndReason::Lapsed => "nobody decided in time",
        EndReason::Cancelled => "cancelled by the analyst",
    };
    let ended = update(node, id, &RoundState::ALL, event, |tx, record| {
        match record.state {
            RoundState::Negotiating | RoundState::Evaluating if record.side == Side::Requester => {
                record.state = RoundState::Ended;
            }
            RoundState::AwaitingApproval if record.side == Side::Requester => {
                record.state = RoundState::Withdrawing;
                record.withdraw = Some(reason as u8);
            }
            state => return Err(Stop::State(state)),
        }
        words.clone_into(&mut record.detail);
        Ok(why.keep(tx)?)
    });
    ended.map_err(|stop| match stop {
        Stop::Store(error) => storage(error),
        Stop::State(state) => ApiError::new(
            ErrorCode::WrongState,
            format!(
                "round {id} is {}: its question cannot be stopped any more",
                state.word()
            ),
        )
        .hint(format!("mandorla round show {id}")),
    })
}
