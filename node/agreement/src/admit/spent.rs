//! After a restore from a backup, nobody on the node knows what was used since the backup: every period that reaches
//! back to the restore counts as used up, whatever was counted.

use super::refuse;
use crate::direction::Direction;
use crate::proposal::{Counters, Proposal, Refusal};
use crate::{Instant, day_start_s, month_start_s};

const DAY_S: u64 = 86_400;

/// Whether every period of this direction began after the node's restore, if there was one.
pub(super) fn admit(
    direction: &Direction<'_>,
    now_s: u64,
    proposal: &Proposal<'_>,
    counters: &Counters,
) -> Result<(), Refusal> {
    let Some(until_s) = counters.spent_until_s else {
        return Ok(());
    };
    let limits = format!("limits.{}", direction.name());
    if day_start_s(now_s) <= until_s {
        return refuse(
            "rounds_per_day",
            format!("{limits}.rounds_per_day"),
            message("today's rounds"),
            "wait until 00:00 UTC",
        );
    }
    if month_start_s(now_s) <= until_s {
        return refuse(
            "subjects_per_month",
            format!("{limits}.subjects_per_month"),
            message("this month's subjects"),
            "wait until next month",
        );
    }
    for planned in proposal.evaluations {
        let Some(quota) = direction.evaluations(planned.match_key) else {
            continue; // refused as unknown
        };
        // Evaluations are counted by the day, so a period reaches back to the start of its first.
        let period_s = quota.period.as_s();
        if day_start_s(now_s.saturating_sub(period_s)) <= until_s {
            let free_s = day_start_s(until_s).saturating_add(DAY_S + period_s);
            let what = format!(
                "the evaluations of {} in {}",
                planned.match_key, quota.period
            );
            return refuse(
                "evaluations",
                format!("{limits}.evaluations.{}.count", planned.match_key),
                message(&what),
                format!("wait until {}", Instant::from_s(free_s)),
            );
        }
    }
    Ok(())
}

fn message(what: &str) -> String {
    format!("{what} count as used up: this node was restored from a backup")
}
