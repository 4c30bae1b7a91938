//! Whether one round may happen.

use crate::direction::Direction;
use crate::proposal::{Counters, Evaluations, Proposal, Refusal, SetFacts};
use crate::{Agreement, Duration, State};

impl Agreement {
    /// Whether `requester` may start this round on `responder`'s records at `now_s` (Unix seconds). Both nodes ask,
    /// each with what it knows.
    ///
    /// # Errors
    /// The first rule that is broken, in the order: direction, state, dates, purpose, case reference, mode, slots,
    /// datasets, sizes, quotas.
    pub fn admit(
        &self,
        now_s: u64,
        requester: &str,
        responder: &str,
        proposal: &Proposal<'_>,
        counters: &Counters,
    ) -> Result<(), Refusal> {
        let direction = self
            .direction(requester, responder)
            .map_err(|error| Refusal {
                rule: "direction",
                clause: error.clause().to_owned(),
                message: format!(
                    "the agreement does not let {requester} ask about {responder}'s records"
                ),
                fix: error.fix(),
            })?;
        admit_state(proposal)?;
        admit_dates(self, now_s)?;
        admit_purpose(self, proposal)?;
        admit_form(self, proposal)?;
        for (party, set) in [
            (requester, &proposal.requester),
            (responder, &proposal.responder),
        ] {
            admit_dataset(self, now_s, party, set)?;
        }
        admit_sizes(&direction, proposal)?;
        admit_frequency(&direction, now_s, proposal, counters)?;
        admit_evaluations(&direction, proposal.evaluations)
    }
}

fn refuse(
    rule: &'static str,
    clause: impl Into<String>,
    message: impl Into<String>,
    fix: impl Into<String>,
) -> Result<(), Refusal> {
    Err(Refusal {
        rule,
        clause: clause.into(),
        message: message.into(),
        fix: fix.into(),
    })
}

fn admit_state(proposal: &Proposal<'_>) -> Result<(), Refusal> {
    match proposal.state {
        State::Live => Ok(()),
        State::Pilot if proposal.synthetic_data => Ok(()),
        State::Pilot => refuse(
            "state",
            "pilot_required",
            "the agreement is in pilot: synthetic data only",
            "have both sides activate the agreement, or use a synthetic dataset",
        ),
        state => refuse(
            "state",
            "state",
            format!("the agreement is {state}"),
            "see `mandorla agreement list`",
        ),
    }
}

fn admit_dates(agreement: &Agreement, now_s: u64) -> Result<(), Refusal> {
    let terms = agreement.terms();
    if now_s < terms.not_before.as_s() {
        return refuse(
            "not_before",
            "not_before",
            format!("the agreement starts at {}", terms.not_before),
            "wait until then",
        );
    }
    if now_s >= terms.expires.as_s() {
        return refuse(
            "expires",
            "expires",
            format!("the agreement ended at {}", terms.expires),
            "agree on a new version",
        );
    }
    if now_s + terms.answer.round_s_max() > terms.expires.as_s() {
        return refuse(
            "expires",
            "expires",
            format!(
                "the last answer could come after the agreement ends at {}",
                terms.expires
            ),
            "agree on a new version",
        );
    }
    Ok(())
}

fn admit_purpose(agreement: &Agreement, proposal: &Proposal<'_>) -> Result<(), Refusal> {
    let purpose = &agreement.terms().purpose;
    if proposal.purpose != purpose.code {
        return refuse(
            "purpose",
            "purpose.code",
            format!("the agreement serves the purpose {} only", purpose.code),
            format!("use --purpose {}, or another agreement", purpose.code),
        );
    }
    if !proposal.case_reference_given {
        return refuse(
            "case_reference",
            "purpose",
            "a round needs a case reference",
            "add --case REF",
        );
    }
    Ok(())
}

fn admit_form(agreement: &Agreement, proposal: &Proposal<'_>) -> Result<(), Refusal> {
    let terms = agreement.terms();
    if proposal.mode != terms.result.mode {
        return refuse(
            "mode",
            "result.mode",
            "the agreement has another kind of round",
            "use the agreement's mode",
        );
    }
    if proposal.slots_s != terms.answer.slots_s() {
        return refuse(
            "slots",
            "answer.slots",
            "the answer slots are not the agreement's",
            "use the agreement's slots; both nodes must hold the same version",
        );
    }
    Ok(())
}

fn admit_dataset(
    agreement: &Agreement,
    now_s: u64,
    party: &str,
    set: &SetFacts<'_>,
) -> Result<(), Refusal> {
    let terms = agreement.terms();
    let position = terms
        .dataset
        .iter()
        .position(|dataset| dataset.party == party && dataset.id == set.dataset);
    let Some(index) = position else {
        return refuse(
            "dataset",
            "dataset",
            format!(
                "`{}` is not a dataset of {party} in the agreement",
                set.dataset
            ),
            "use one that the agreement names",
        );
    };
    let dataset = &terms.dataset[index];
    if set.size.is_above(dataset.max_records) {
        return refuse(
            "max_records",
            format!("dataset[{index}].max_records"),
            format!(
                "`{}` has {} subjects, the agreement allows {}",
                dataset.id, set.size, dataset.max_records
            ),
            "load fewer subjects",
        );
    }
    let age_max_s = u64::from(dataset.max_age_days) * 86_400;
    if set
        .loaded_at_s
        .is_some_and(|loaded_at_s| now_s.saturating_sub(loaded_at_s) > age_max_s)
    {
        return refuse(
            "max_age_days",
            format!("dataset[{index}].max_age_days"),
            format!(
                "`{}` was loaded more than {} days ago",
                dataset.id, dataset.max_age_days
            ),
            "load it again",
        );
    }
    let missing = set.fields.and_then(|fields| {
        dataset
            .required_columns
            .iter()
            .find(|field| !fields.contains(field))
    });
    if let Some(field) = missing {
        return refuse(
            "required_columns",
            format!("dataset[{index}].required_columns"),
            format!("`{}` was loaded without `{field}`", dataset.id),
            "map the column and load it again",
        );
    }
    Ok(())
}

fn admit_sizes(direction: &Direction<'_>, proposal: &Proposal<'_>) -> Result<(), Refusal> {
    let (name, limits) = (direction.name(), direction.limits());
    let responder_clause = if limits.responder_max_set.is_some() {
        "responder_max_set"
    } else {
        "max_records"
    };
    let sides = [
        (
            direction.requester(),
            &proposal.requester,
            limits.max_set,
            "max_set",
        ),
        (
            direction.responder(),
            &proposal.responder,
            direction.responder_subjects_max(),
            responder_clause,
        ),
    ];
    for (party, set, max, max_clause) in sides {
        if set.size.is_below(limits.min_set) {
            return refuse(
                "min_set",
                format!("limits.{name}.min_set"),
                format!(
                    "{} brings {} subjects, the agreement asks for {} or more",
                    party.code, set.size, limits.min_set
                ),
                "use a larger set",
            );
        }
        if set.size.is_above(max) {
            let clause = if max_clause == "max_records" {
                "dataset.max_records".into()
            } else {
                format!("limits.{name}.{max_clause}")
            };
            return refuse(
                "max_set",
                clause,
                format!(
                    "{} brings {} subjects, the agreement allows {max}",
                    party.code, set.size
                ),
                "use a smaller set",
            );
        }
    }
    if proposal
        .cells_class
        .is_some_and(|class| class > direction.cells_log2_max())
    {
        return refuse(
            "keys_per_subject",
            format!("limits.{name}.keys_per_subject_max"),
            format!(
                "the question has more than {} cells",
                1_u64 << direction.cells_log2_max()
            ),
            "load the set again with the agreement's limit of keys per subject",
        );
    }
    Ok(())
}

fn admit_frequency(
    direction: &Direction<'_>,
    now_s: u64,
    proposal: &Proposal<'_>,
    counters: &Counters,
) -> Result<(), Refusal> {
    let (name, limits) = (direction.name(), direction.limits());
    if counters.rounds_today >= limits.rounds_per_day {
        return refuse(
            "rounds_per_day",
            format!("limits.{name}.rounds_per_day"),
            format!(
                "{} round today, the agreement allows {}",
                ordinal(u64::from(counters.rounds_today) + 1),
                limits.rounds_per_day
            ),
            "wait until 00:00 UTC",
        );
    }
    // A clock that stepped back behind the latest round counts as no time passed.
    let since_s = counters
        .last_round_s
        .map(|last_s| now_s.saturating_sub(last_s));
    if let Some(since_s) = since_s.filter(|since_s| *since_s < limits.min_interval.as_s()) {
        return refuse(
            "min_interval",
            format!("limits.{name}.min_interval"),
            format!(
                "the latest round started {} ago, the agreement asks for {}",
                Duration::from_s(since_s),
                limits.min_interval
            ),
            format!(
                "wait {}",
                Duration::from_s(limits.min_interval.as_s() - since_s)
            ),
        );
    }
    let padded = proposal.requester.size.padded();
    if counters.subjects_this_month.saturating_add(padded) > limits.subjects_per_month {
        return refuse(
            "subjects_per_month",
            format!("limits.{name}.subjects_per_month"),
            format!(
                "the question counts as {padded} subjects, {} of {} are left this month",
                limits
                    .subjects_per_month
                    .saturating_sub(counters.subjects_this_month),
                limits.subjects_per_month
            ),
            "ask about fewer subjects, or wait until next month",
        );
    }
    Ok(())
}

fn admit_evaluations(
    direction: &Direction<'_>,
    evaluations: &[Evaluations<'_>],
) -> Result<(), Refusal> {
    for planned in evaluations {
        let clause = format!(
            "limits.{}.evaluations.{}",
            direction.name(),
            planned.match_key
        );
        let Some(quota) = direction.evaluations(planned.match_key) else {
            return refuse(
                "match_key",
                clause,
                format!(
                    "`{}` is not a match key of the agreement",
                    planned.match_key
                ),
                "use the agreement's linkage rules",
            );
        };
        if planned.used_in_period.saturating_add(planned.padded) > quota.count {
            return refuse(
                "evaluations",
                format!("{clause}.count"),
                format!(
                    "the round needs {} evaluations of {}, {} of {} are left in {}",
                    planned.padded,
                    planned.match_key,
                    quota.count.saturating_sub(planned.used_in_period),
                    quota.count,
                    quota.period
                ),
                "wait for the next period, or use a smaller set",
            );
        }
    }
    Ok(())
}

fn ordinal(n: u64) -> String {
    const WORDS: [&str; 10] = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth",
    ];
    if let 1..=10 = n {
        return WORDS[n as usize - 1].to_owned();
    }
    let suffix = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_read_as_english() {
        let read: Vec<_> = [1, 3, 10, 11, 12, 13, 21, 22, 23, 111, 122]
            .into_iter()
            .map(ordinal)
            .collect();
        assert_eq!(
            read,
            [
                "first", "third", "tenth", "11th", "12th", "13th", "21st", "22nd", "23rd", "111th",
                "122nd"
            ]
        );
    }
}
