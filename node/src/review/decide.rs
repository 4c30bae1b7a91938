//! Decisions: durable with their ledger entry, by somebody else than who proposed.

use std::str::FromStr as _;
use std::sync::Arc;

use mandorla_agreement::LocalPolicy;
use mandorla_control::{
    ApiError, Decided, ErrorCode, REFUSAL_REASONS, ReviewApprove, ReviewDecline, ReviewRefuse,
    ReviewRelease, Role,
};
use mandorla_linkage::Field;
use mandorla_protocol::requester::PendingQuestion;
use mandorla_protocol::responder::{Questioned, SlotState};
use mandorla_protocol::{EndReason, LocalFault, Release, place_digest};
use mandorla_store::WriteTx;

use super::disclosed::Disclosed;
use super::inbox::hit_of;
use super::release::{Draft, draft, releasable};
use super::second::second_officer_needed;
use crate::events::Event;
use crate::failed::Failed;
use crate::justification::{Reason, justified};
use crate::node::{Caller, Node};
use crate::records::hit::{DecisionRecord, FirstRelease, HITS, HitRecord};
use crate::records::round::{ANSWERS, RoundRecord, RoundState};
use crate::rounds::{Ruled, end_own_round, required, ruled_of, update, update_saying};
use crate::server::{ServeBlocking, holders};

impl ServeBlocking for ReviewApprove {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<Decided, ApiError> {
        let round = required(node, &self.round)?;
        not_own(node, &round, caller)?;
        let reason = Reason::new(&self.reason, &caller.name, node.clock.now_s());
        let ruled = ruled_of(node, &round).map_err(|error| internal(&error))?;
        let event = node
            .event_by(Event::QuestionApproved, caller, Role::Authoriser)
            .detail("reason_commitment", reason.commitment());
        let case = round.case_reference.as_deref();
        let event = justified(event, &ruled.agreement, node.code(), case);
        update::<Failed>(node, &round.id, &RoundState::ALL, event, |tx, record| {
            // A suspension that is durable by now counts.
            must_go_on(node, record)?;
            let question: PendingQuestion = (record.state == RoundState::AwaitingApproval)
                .then(|| record.machine())
                .flatten()
                .ok_or_else(|| wrong_state(record))?;
            if node.clock.now_s() > question.terms().question_deadline() {
                let message = format!("round {} has lapsed: nobody approved it in time", record.id);
                return Err(ApiError::new(ErrorCode::TooLate, message)
                    .hint("mandorla round propose")
                    .into());
            }
            let own = question.terms().offer().requester;
            let approval = node
                .desk
                .approve(&own, question.summary())
                .map_err(internal)?;
            let seeking = question.approve(&approval).map_err(internal)?;
            record.state = RoundState::Sending;
            record.set_machine(&seeking);
            "approved; the question is being sent".clone_into(&mut record.detail);
            Ok(reason.keep(tx)?)
        })?;
        Ok(decided(
            &round.id,
            "approved",
            vec!["the question is sent to the peer now".to_owned()],
        ))
    }
}

impl ServeBlocking for ReviewDecline {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<Decided, ApiError> {
        let round = required(node, &self.round)?;
        not_own(node, &round, caller)?;
        let reason = Reason::new(&self.reason, &caller.name, node.clock.now_s());
        let event = node
            .event_by(Event::QuestionDeclined, caller, Role::Authoriser)
            .detail("reason_commitment", reason.commitment());
        if round.state != RoundState::AwaitingApproval {
            return Err(wrong_state(&round));
        }
        end_own_round(node, &round.id, event, EndReason::Declined, &reason)?;
        Ok(decided(
            &round.id,
            "declined",
            vec!["no question is sent; the peer is told so".to_owned()],
        ))
    }
}

impl ServeBlocking for ReviewRelease {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<Decided, ApiError> {
        let (round, _, subject) = hit_of(node, &self.hit)?;
        let ruled = ruled_of(node, &round).map_err(|error| internal(&error))?;
        let policy = &node.config.policy;
        let fields = releasable(policy, &ruled, &subject);
        let mut dropped = self
            .drop
            .iter()
            .map(|name| field(name))
            .collect::<Result<Vec<_>, _>>()?;
        let mut effect = Vec::new();
        let reason = Reason::new(&self.reason, &caller.name, node.clock.now_s());
        let event = |event| {
            node.event_by(event, caller, Role::Authoriser)
                .detail("hit", self.hit.clone())
                .detail("reason_commitment", reason.commitment())
        };
        let mut kind = if dropped.is_empty() {
            "released"
        } else {
            "redacted"
        };
        update_saying::<Failed>(node, &round.id, &RoundState::ALL, |tx, record| {
            must_go_on(node, record)?;
            let (questioned, mut hit) = undecided(tx, record, &self.hit)?;
            reason.keep(tx)?;
            let second = second_officer_needed(node, &ruled, record, &hit, &subject);
            if let Some(second) = second
                && needs_second(&mut hit, caller, &self.hit, &self.drop)?
            {
                tx.put(HITS, (record.id.as_str(), hit.id.as_str()), &hit)?;
                kind = "released by the first officer";
                effect.push(format!(
                    "a second authoriser must release it too: {} ({second})",
                    second.in_words()
                ));
                return Ok(event(Event::HitReleasedByFirst)
                    .detail("second_officer", second.to_string())
                    .detail("dropped", names(&dropped)));
            }
            for name in hit.first_release.iter().flat_map(|first| &first.dropped) {
                dropped.push(field(name)?);
                kind = "redacted";
            }
            let draft = draft(&ruled.agreement, &hit, fields, &dropped);
            if draft.grade.is_none() {
                return Err(grade_lost(&draft).into());
            }
            let now = node.clock.now_s();
            let most = places(policy, &ruled, &questioned);
            let slot = free_slot(tx, record, &questioned, most, now)?;
            record.take_place(slot);
            let release = Release {
                slot,
                subject_number: hit.subject_number,
                own_reference: &hit.own_reference,
                proven: draft.proven.clone(),
                package: draft.package.clone(),
            };
            let item = node
                .desk
                .release(&questioned, &release)
                .map_err(|fault| seal_error(&fault))?;
            effect = effects(&ruled.agreement, &draft, &questioned, slot);
            hit.decision = Some(DecisionRecord {
                kind: kind.to_owned(),
                by: caller.name.clone(),
                reason: reason.commitment().to_owned(),
                at: now,
                fields: draft
                    .fields
                    .iter()
                    .map(|(field, _)| field.to_string())
                    .collect(),
                slot: Some(slot),
                place: Some(hex::encode(item.place())),
            });
            effect.push(format!(
                "digest of what leaves: {}",
                place_digest(item.place())
            ));
            let disclosed = Disclosed {
                node,
                ruled: &ruled,
                round: record,
                hit: &hit,
                draft: &draft,
                by: &caller.name,
                at: now,
                slot,
                package_digest: place_digest(item.place()).to_string(),
            };
            let mut event = event(Event::HitReleased).detail("dropped", names(&dropped));
            event.detail.extend(disclosed.record(tx)?);
            tx.put(HITS, (record.id.as_str(), hit.id.as_str()), &hit)?;
            Ok(event)
        })?;
        Ok(decided(&self.hit, kind, effect))
    }
}

impl ServeBlocking for ReviewRefuse {
    fn serve_blocking(self, node: &Arc<Node>, caller: &Caller) -> Result<Decided, ApiError> {
        if !REFUSAL_REASONS.contains(&self.reason.as_str()) {
            let message = format!("{:?} is no reason code for a refusal", self.reason);
            return Err(ApiError::new(ErrorCode::BadRequest, message)
                .hint(format!("one of: {}", REFUSAL_REASONS.join(", "))));
        }
        let (round, hit, _) = hit_of(node, &self.hit)?;
        let subject = node.pseudonyms.of(&round.dataset, &hit.own_reference);
        let event = node
            .event_by(Event::HitRefused, caller, Role::Authoriser)
            .detail("hit", self.hit.clone())
            .detail("subject", subject)
            .detail("reason", self.reason.clone());
        update::<Failed>(node, &round.id, &RoundState::ALL, event, |tx, record| {
            let (_, mut hit) = undecided(tx, record, &self.hit)?;
            hit.decision = Some(DecisionRecord {
                kind: "refused".to_owned(),
                by: caller.name.clone(),
                reason: self.reason,
                at: node.clock.now_s(),
                fields: Vec::new(),
                slot: None,
                place: None,
            });
            Ok(tx.put(HITS, (record.id.as_str(), hit.id.as_str()), &hit)?)
        })?;
        Ok(decided(
            &self.hit,
            "refused",
            vec!["the requester cannot tell it from no match".to_owned()],
        ))
    }
}

fn names(fields: &[Field]) -> Vec<String> {
    fields.iter().map(Field::to_string).collect()
}

/// Nobody decides on their own proposal.
fn not_own(node: &Node, round: &RoundRecord, caller: &Caller) -> Result<(), ApiError> {
    let proposer = round.proposed_by.as_deref();
    if !proposer.is_some_and(|name| caller.is_person(name, round.proposed_by_uid)) {
        return Ok(());
    }
    let message = format!(
        "{} was proposed by you; another authoriser must decide",
        round.id
    );
    let others = holders(&node.config, &[Role::Authoriser], caller);
    let hint = others.map_or_else(
        || "name another authoriser in node.toml".to_owned(),
        |others| format!("ask one of: {others}"),
    );
    Err(ApiError::new(ErrorCode::OwnProposal, message).hint(hint))
}

/// A suspended or expired agreement stops new questions and new releases at once.
fn must_go_on(node: &Node, round: &RoundRecord) -> Result<(), ApiError> {
    let ruled = ruled_of(node, round).map_err(|error| internal(&error))?;
    if ruled.state.lets_rounds_go_on() {
        return Ok(());
    }
    let message = format!(
        "refused: the agreement {} is {}",
        round.agreement, ruled.state
    );
    Err(ApiError::new(ErrorCode::Refused, message)
        .hint(format!("mandorla agreement show {}", round.agreement)))
}

/// The hit, if a decision can still be taken.
fn undecided(
    tx: &WriteTx<'_>,
    record: &RoundRecord,
    id: &str,
) -> Result<(Questioned, HitRecord), Failed> {
    let questioned: Questioned = (record.state == RoundState::Matched)
        .then(|| record.machine())
        .flatten()
        .ok_or_else(|| wrong_state(record))?;
    let hit = tx
        .find(HITS, (record.id.as_str(), id))?
        .ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("there is no hit {id}")))?;
    if let Some(decision) = &hit.decision {
        let message = format!(
            "{id} is decided already: {} by {}",
            decision.kind, decision.by
        );
        return Err(ApiError::new(ErrorCode::WrongState, message)
            .hint(format!("mandorla review show {id}"))
            .into());
    }
    Ok((questioned, hit))
}

/// Whether this release is the first of two that are needed. What either officer drops stays.
fn needs_second(
    hit: &mut HitRecord,
    caller: &Caller,
    id: &str,
    dropped: &[String],
) -> Result<bool, ApiError> {
    match &hit.first_release {
        None => {
            hit.first_release = Some(FirstRelease {
                by: caller.name.clone(),
                by_uid: caller.uid,
                dropped: dropped.to_vec(),
            });
            Ok(true)
        }
        Some(first) if caller.is_person(&first.by, first.by_uid) => {
            let message =
                format!("{id} was released by you; a second authoriser must release it too");
            Err(ApiError::new(ErrorCode::OwnProposal, message).hint("ask another authoriser"))
        }
        Some(_) => Ok(false),
    }
}

/// How many places of an answer may be taken, and the clause that says so. The answer has its agreed size all the same.
fn places(policy: &LocalPolicy, ruled: &Ruled, questioned: &Questioned) -> (u32, &'static str) {
    let agreed = u32::from(questioned.terms().offer().max_release);
    let direction = ruled
        .agreement
        .direction(&ruled.requester, &ruled.responder);
    let allowed = direction.map_or(0, |direction| direction.release_max(policy));
    if allowed < agreed {
        (allowed, "policy.max_release")
    } else {
        (agreed, "answer.max_release")
    }
}

/// The next slot that is not frozen and has a place left.
fn free_slot(
    tx: &WriteTx<'_>,
    record: &RoundRecord,
    questioned: &Questioned,
    (places, clause): (u32, &'static str),
    now: u64,
) -> Result<u8, Failed> {
    // A slot that is frozen stays frozen, whatever the clock says now.
    let mut open = Vec::new();
    for slot in 0..questioned.terms().slots() {
        let frozen = tx
            .find(ANSWERS, (record.id.as_str(), u64::from(slot)))?
            .is_some();
        if !frozen && questioned.slot_state(slot, now) == SlotState::Open {
            open.push(slot);
        }
    }
    if open.is_empty() {
        let message = "the time for this decision has passed; undecided counts as refused";
        let error = ApiError::new(ErrorCode::TooLate, message);
        return Err(error
            .hint(format!("mandorla round show {}", record.id))
            .into());
    }
    let free = open
        .into_iter()
        .find(|&slot| record.places_taken(slot) < places);
    free.ok_or_else(|| {
        let message = format!("all {places} places of the remaining answers are taken ({clause})");
        let error = ApiError::new(ErrorCode::NoPlace, message);
        error
            .hint("refuse it, or release it in another round")
            .into()
    })
}

/// `14 Mar 1987 09:30 UTC`.
fn when(unix_s: u64) -> String {
    let time = i64::try_from(unix_s)
        .ok()
        .and_then(|unix_s| jiff::Timestamp::from_second(unix_s).ok());
    time.map_or_else(
        || format!("{unix_s} s after 1970"),
        |time| time.strftime("%-d %b %Y %H:%M UTC").to_string(),
    )
}

fn effects(
    agreement: &mandorla_agreement::Agreement,
    draft: &Draft,
    questioned: &Questioned,
    slot: u8,
) -> Vec<String> {
    let rules = agreement.linkage_rules();
    let names = draft
        .fields
        .iter()
        .map(|(field, _)| field.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let proven = rules.rules_in(draft.proven_types());
    let proven: Vec<_> = proven.map(|rule| rule.id.as_str()).collect();
    let mut lines = vec![
        format!(
            "leaves with slot {}, {}",
            slot + 1,
            when(questioned.terms().slot_time(questioned.t0(), slot))
        ),
        format!("fields: {names}"),
        format!("match keys named: {}", proven.join(", ")),
    ];
    if let Some(grade) = draft.grade {
        lines.push(format!(
            "grade at the requester: {} {}",
            grade.letter(),
            grade.name()
        ));
    }
    if !draft.kept_back.is_empty() {
        lines.push(format!(
            "match keys that stay with their fields: {}",
            draft.kept_back.join(", ")
        ));
    }
    lines
}

fn grade_lost(draft: &Draft) -> ApiError {
    let message = if draft.kept_back.is_empty() {
        "no match key can be named with the fields that the agreement lets leave".to_owned()
    } else {
        format!(
            "without the dropped fields the match keys {} cannot be named, and the rest is no hit",
            draft.kept_back.join(", ")
        )
    };
    ApiError::new(ErrorCode::GradeLost, message)
        .hint("release with fewer fields dropped, or refuse the hit")
}

fn seal_error(fault: &LocalFault) -> ApiError {
    match fault {
        LocalFault::PackageTooLarge { .. } => {
            ApiError::new(ErrorCode::PackageTooLarge, fault.to_string())
                .hint("drop a field with --drop FIELD")
        }
        LocalFault::NothingProven => ApiError::new(ErrorCode::GradeLost, fault.to_string())
            .hint("release with fewer fields dropped, or refuse the hit"),
        other => internal(other),
    }
}

fn field(name: &str) -> Result<Field, ApiError> {
    Field::from_str(name).map_err(|error| {
        ApiError::new(ErrorCode::BadRequest, error.to_string())
            .hint("mandorla review show HIT lists the fields")
    })
}

fn wrong_state(record: &RoundRecord) -> ApiError {
    ApiError::new(
        ErrorCode::WrongState,
        format!(
            "round {} is {}: there is nothing to decide",
            record.id,
            record.state.word()
        ),
    )
    .hint(format!("mandorla round show {}", record.id))
}

fn internal(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::Internal, error.to_string())
}

fn decided(item: &str, decision: &str, effect: Vec<String>) -> Decided {
    Decided {
        item: item.to_owned(),
        decision: decision.to_owned(),
        effect,
    }
}
