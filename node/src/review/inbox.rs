//! What waits at the desk, and everything about one item on one page.

use std::collections::BTreeSet;
use std::sync::Arc;

use mandorla_agreement::TwoPersonWhen;
use mandorla_control::{
    ApiError, ErrorCode, FieldView, InboxEntry, ReviewInbox, ReviewItem, ReviewShow,
};
use mandorla_linkage::{Field, Subject};
use mandorla_protocol::responder::Questioned;

use super::release::{evidence, releasable};
use super::second::second_officer_needed;
use crate::datasets::subject;
use crate::events::Event;
use crate::node::{Caller, Node, storage};
use crate::records::hit::{HIT_ROUNDS, HITS, HitRecord};
use crate::records::round::{ROUNDS, RoundRecord, RoundState, Side};
use crate::rounds::error::RoundError;
use crate::rounds::{Ruled, pending_question, required, ruled_of};
use crate::server::ServeBlocking;

impl ServeBlocking for ReviewInbox {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<Vec<InboxEntry>, ApiError> {
        let tx = node.store.read().map_err(storage)?;
        let mut entries = Vec::new();
        for (_, round) in tx.scan_all(ROUNDS).map_err(storage)? {
            match (round.side, round.state) {
                (Side::Requester, RoundState::AwaitingApproval) => {
                    entries.push(round_entry(&round));
                }
                (Side::Responder, RoundState::Matched) => {
                    let ruled = ruled_of(node, &round).map_err(|error| internal(&error))?;
                    let range = (round.id.as_str(), "")..=(round.id.as_str(), "~");
                    for (_, hit) in tx.scan(HITS, range).map_err(storage)? {
                        if hit.decision.is_none() {
                            let own = subject(node, round.generation, hit.own_subject);
                            let own = own.map_err(storage)?;
                            let second = own.and_then(|own| {
                                second_officer_needed(node, &ruled, &round, &hit, &own)
                            });
                            entries.push(hit_entry(&ruled, &round, &hit, second));
                        }
                    }
                }
                _ => {}
            }
        }
        entries.sort_by(|a, b| (a.due, &a.item).cmp(&(b.due, &b.item)));
        Ok(entries)
    }
}

fn round_entry(round: &RoundRecord) -> InboxEntry {
    InboxEntry {
        item: round.id.clone(),
        kind: "round".to_owned(),
        peer: round.peer.clone(),
        round: round.id.clone(),
        purpose: round.purpose.clone(),
        case_reference: round.case_reference.clone().unwrap_or_default(),
        grade: None,
        match_keys: Vec::new(),
        due: round.terms().map_or(0, |terms| terms.question_deadline()),
        flags: Vec::new(),
    }
}

fn internal(error: &RoundError) -> ApiError {
    ApiError::new(ErrorCode::Internal, error.to_string())
}

fn hit_entry(
    ruled: &Ruled,
    round: &RoundRecord,
    hit: &HitRecord,
    second: Option<TwoPersonWhen>,
) -> InboxEntry {
    let agreed = ruled.agreement.linkage_rules().rules_in(hit.agreed_types());
    let due = round.machine::<Questioned>().map_or(0, |questioned| {
        (0..questioned.terms().slots())
            .map(|slot| questioned.cutoff(slot))
            .max()
            .unwrap_or(0)
    });
    let mut flags = Vec::new();
    if let Some(reason) = second {
        flags.push(format!(
            "a second officer releases, too: {} ({reason})",
            reason.in_words()
        ));
    }
    if let Some(first) = &hit.first_release {
        flags.push(format!(
            "released by {}; waits for the second officer",
            first.by
        ));
    }
    InboxEntry {
        item: hit.id.clone(),
        kind: "hit".to_owned(),
        peer: round.peer.clone(),
        round: round.id.clone(),
        purpose: round.purpose.clone(),
        case_reference: round.case_reference.clone().unwrap_or_default(),
        grade: Some(hit.grade.clone()),
        match_keys: agreed.map(|rule| rule.id.clone()).collect(),
        due,
        flags,
    }
}

/// A hit on an own record, its round and its subject.
pub(super) fn hit_of(node: &Node, id: &str) -> Result<(RoundRecord, HitRecord, Subject), ApiError> {
    let missing = || {
        ApiError::new(
            ErrorCode::NotFound,
            format!("there is no hit {id} to decide on"),
        )
        .hint("mandorla review inbox")
    };
    let tx = node.store.read().map_err(storage)?;
    let round_id = tx
        .find(HIT_ROUNDS, id)
        .map_err(storage)?
        .ok_or_else(missing)?;
    let hit = tx
        .find(HITS, (round_id.as_str(), id))
        .map_err(storage)?
        .ok_or_else(missing)?;
    let round = required(node, &round_id)?;
    let own = subject(node, round.generation, hit.own_subject)
        .map_err(storage)?
        .ok_or_else(missing)?;
    Ok((round, hit, own))
}

impl ServeBlocking for ReviewShow {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<ReviewItem, ApiError> {
        let item = if self.item.starts_with("R-") {
            round_item(node, &self.item)?
        } else {
            hit_item(node, &self.item)?
        };
        // Looking at a person's record is recorded too.
        let event = node
            .event(Event::ReviewViewed)
            .by(caller.name.clone(), "review")
            .round(item.entry.round.clone())
            .detail("item", item.entry.item.clone());
        node.store
            .write::<_, mandorla_store::StoreError>(|tx| tx.append_ledger(event).map(|_| ()))
            .map_err(storage)?;
        Ok(item)
    }
}

fn round_item(node: &Node, id: &str) -> Result<ReviewItem, ApiError> {
    let round = required(node, id)?;
    let terms = pending_question(&round).map(|question| question.terms().clone());
    let numbers = terms.map_or_else(Vec::new, |terms| {
        vec![
            format!(
                "own subjects: {} (shown to the peer as up to {})",
                round.subjects,
                1_u64 << terms.offer().subjects_class
            ),
            format!("cells of the question, padding included: {}", terms.cells()),
            format!(
                "the peer's subjects: up to {}",
                1_u64 << terms.responder().subjects_class
            ),
            format!(
                "evaluations charged to the peer's quota: {}",
                terms.evaluations()
            ),
            format!(
                "answer slots: {:?} seconds after the question",
                terms.offer().slots_s
            ),
        ]
    });
    let decision = match round.state {
        RoundState::AwaitingApproval => "undecided",
        RoundState::Withdrawing | RoundState::Ended => "declined",
        _ => "approved",
    };
    Ok(ReviewItem {
        entry: round_entry(&round),
        decision: decision.to_owned(),
        own_record: Vec::new(),
        evidence: Vec::new(),
        would_leave: Vec::new(),
        forbidden: Vec::new(),
        numbers,
        same_requester_subject: Vec::new(),
    })
}

fn hit_item(node: &Node, id: &str) -> Result<ReviewItem, ApiError> {
    let (round, hit, own) = hit_of(node, id)?;
    let ruled = ruled_of(node, &round).map_err(|error| internal(&error))?;
    let second = second_officer_needed(node, &ruled, &round, &hit, &own);
    let direction = ruled
        .agreement
        .direction(&ruled.requester, &ruled.responder);
    let policy = &node.config.policy;
    let by_policy = [Some(policy), policy.agreement.get(&round.agreement)];
    let by_policy = by_policy
        .into_iter()
        .flatten()
        .flat_map(|layer| &layer.forbidden_fields);
    let agreed = direction
        .iter()
        .flat_map(|direction| &direction.disclosure().forbidden_fields);
    let forbidden: BTreeSet<String> = agreed.chain(by_policy).map(Field::to_string).collect();
    let leaving = releasable(policy, &ruled, &own);
    let range = (round.id.as_str(), "")..=(round.id.as_str(), "~");
    let hits = node
        .store
        .read()
        .and_then(|tx| tx.scan(HITS, range))
        .map_err(storage)?;
    let same = hits
        .into_iter()
        .filter(|(_, other)| other.subject_number == hit.subject_number && other.id != hit.id)
        .map(|(_, other)| other.id)
        .collect();
    Ok(ReviewItem {
        entry: hit_entry(&ruled, &round, &hit, second),
        decision: hit
            .decision
            .as_ref()
            .map_or_else(|| "undecided".to_owned(), |decision| decision.kind.clone()),
        own_record: record_view(&own),
        evidence: evidence(ruled.agreement.linkage_rules(), &hit),
        would_leave: leaving
            .into_iter()
            .map(|(field, values)| FieldView {
                field: field.to_string(),
                values,
            })
            .collect(),
        forbidden: forbidden.into_iter().collect(),
        numbers: Vec::new(),
        same_requester_subject: same,
    })
}

/// All fields of an own record.
pub(super) fn record_view(subject: &Subject) -> Vec<FieldView> {
    let reference = FieldView {
        field: "ref".to_owned(),
        values: vec![subject.reference.clone()],
    };
    let fields = subject.fields().into_iter().map(|field| FieldView {
        field: field.to_string(),
        values: subject.values_of(field),
    });
    std::iter::once(reference).chain(fields).collect()
}
