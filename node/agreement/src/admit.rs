//! Whether one round may happen.

mod caps;
mod local;
mod spent;

use crate::direction::Direction;
use crate::proposal::{Counters, Evaluations, Proposal, Refusal, SetFacts};
use crate::{Agreement, LocalPolicy, State};
use caps::Source;

impl Agreement {
    /// Whether `requester` may start this round on `responder`'s records at `now_s` (Unix seconds). Both nodes ask,
    /// each with what it knows. It may if the agreement and this node's policy both allow it.
    ///
    /// # Errors
    /// The first rule that is broken, in the order: direction, state, dates, purpose, case reference, mode, slots,
    /// datasets, sizes, quotas; and then the same of the policy.
    pub fn admit(
        &self,
        policy: &LocalPolicy,
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
        spent::admit(&direction, now_s, proposal, counters)?;
        // A restore is the latest moment at which a round may have started.
        let counters = &Counters {
            last_round_s: counters.last_round_s.max(counters.spent_until_s),
            ..*counters
        };
        admit_frequency(&direction, now_s, proposal, counters)?;
        admit_evaluations(&direction, proposal.evaluations)?;
        for layer in policy.layers(self.id()) {
            local::admit(&layer, &direction, now_s, proposal, counters)?;
        }
        Ok(())
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

/// Only `live` touches real data, and nothing else: the own set says what it is.
fn admit_state(proposal: &Proposal<'_>) -> Result<(), Refusal> {
    let known = [&proposal.requester, &proposal.responder]
        .into_iter()
        .filter_map(|set| Some((set.dataset, set.synthetic?)));
    match proposal.state {
        State::Live => match known.into_iter().find(|(_, synthetic)| *synthetic) {
            None => Ok(()),
            Some((dataset, _)) => refuse(
                "synthetic",
                "dataset",
                format!("`{dataset}` is test data, which must not reach a live round"),
                "use a dataset of real subjects, or an agreement that is in pilot",
            ),
        },
        State::Pilot => {
            let known: Vec<_> = known.collect();
            match known.iter().find(|(_, synthetic)| !synthetic) {
                None if !known.is_empty() => Ok(()),
                found => refuse(
                    "synthetic",
                    "pilot_required",
                    format!(
                        "the agreement is in pilot, and `{}` is not marked as test data",
                        found.map_or(proposal.requester.dataset, |(dataset, _)| dataset)
                    ),
                    "use a dataset whose map file marks it as test data, or have both sides activate the agreement",
                ),
            }
        }
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
    caps::age(
        Source::AGREEMENT,
        format!("dataset[{index}].max_age_days"),
        now_s,
        set,
        dataset.max_age_days,
    )?;
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
    let at = |clause: &str| format!("limits.{name}.{clause}");
    let responder_clause = if limits.responder_max_set.is_some() {
        at("responder_max_set")
    } else {
        "dataset.max_records".into()
    };
    let (requester, responder) = (&proposal.requester, &proposal.responder);
    let source = Source::AGREEMENT;
    let code = &direction.requester().code;
    caps::set_min(source, at("min_set"), code, requester, limits.min_set)?;
    caps::set_max(source, at("max_set"), code, requester, limits.max_set)?;
    let code = &direction.responder().code;
    caps::set_min(source, at("min_set"), code, responder, limits.min_set)?;
    let max = direction.responder_subjects_max();
    caps::set_max(source, responder_clause, code, responder, max)?;
    if proposal
        .cells_class
        .is_some_and(|class| class > direction.cells_log2_max())
    {
        return refuse(
            "keys_per_subject",
            at("keys_per_subject_max"),
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
    let at = |clause: &str| format!("limits.{name}.{clause}");
    let source = Source::AGREEMENT;
    caps::rounds_per_day(
        source,
        at("rounds_per_day"),
        counters,
        limits.rounds_per_day,
    )?;
    caps::min_interval(
        source,
        at("min_interval"),
        now_s,
        counters,
        limits.min_interval,
    )?;
    let month = at("subjects_per_month");
    caps::subjects_per_month(source, month, proposal, counters, limits.subjects_per_month)
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
        let clause = format!("{clause}.count");
        caps::evaluations(
            Source::AGREEMENT,
            clause,
            planned,
            quota.count,
            quota.period,
        )?;
    }
    Ok(())
}
