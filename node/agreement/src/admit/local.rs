//! The same questions put to this node's policy.

use super::caps::{self, Source};
use crate::Direction;
use crate::policy::Layer;
use crate::proposal::{Counters, Proposal, Refusal};

/// Whether one table of the policy lets the round happen. What it does not say, it allows.
pub(super) fn admit(
    layer: &Layer<'_>,
    direction: &Direction<'_>,
    now_s: u64,
    proposal: &Proposal<'_>,
    counters: &Counters,
) -> Result<(), Refusal> {
    let (policy, source) = (layer.policy, Source::POLICY);
    let at = |key: &str| format!("{}.{key}", layer.at);
    if !policy.purposes.is_empty() && !policy.purposes.iter().any(|code| code == proposal.purpose) {
        let message = format!(
            "this node's policy does not serve the purpose {}",
            proposal.purpose
        );
        return Err(source.refusal(
            "purpose",
            at("purposes"),
            message,
            "use an agreement with a purpose that it serves",
        ));
    }
    let sides = [
        (
            direction.requester(),
            &proposal.requester,
            "max_set",
            policy.max_set,
        ),
        (
            direction.responder(),
            &proposal.responder,
            "responder_max_set",
            policy.responder_max_set,
        ),
    ];
    for (party, set, max_key, max) in sides {
        if let Some(days_max) = policy.max_age_days {
            caps::age(source, at("max_age_days"), now_s, set, days_max)?;
        }
        if let Some(min) = policy.min_set {
            caps::set_min(source, at("min_set"), &party.code, set, min)?;
        }
        if let Some(max) = max {
            caps::set_max(source, at(max_key), &party.code, set, max)?;
        }
    }
    if let Some(max) = policy.rounds_per_day {
        caps::rounds_per_day(source, at("rounds_per_day"), counters, max)?;
    }
    if let Some(min) = policy.min_interval {
        caps::min_interval(source, at("min_interval"), now_s, counters, min)?;
    }
    if let Some(max) = policy.subjects_per_month {
        let clause = at("subjects_per_month");
        caps::subjects_per_month(source, clause, proposal, counters, max)?;
    }
    for planned in proposal.evaluations {
        let max = policy.evaluations.get(planned.match_key);
        let quota = direction.evaluations(planned.match_key);
        if let (Some(max), Some(quota)) = (max, quota) {
            let clause = at(&format!("evaluations.{}", planned.match_key));
            caps::evaluations(source, clause, planned, *max, quota.period)?;
        }
    }
    Ok(())
}
