//! The caps that an agreement and a node's policy both have. Each is held against one bound and names its clause.

use crate::Duration;
use crate::proposal::{Counters, Evaluations, Proposal, Refusal, SetFacts};

/// Where a bound stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    /// Subject of "allows".
    words: &'static str,
    /// Whether this node's operator can change it.
    local: bool,
}

impl Source {
    pub(super) const AGREEMENT: Self = Self {
        words: "the agreement",
        local: false,
    };
    pub(super) const POLICY: Self = Self {
        words: "this node's policy",
        local: true,
    };

    pub(super) fn refusal(
        self,
        rule: &'static str,
        clause: String,
        message: String,
        fix: impl Into<String>,
    ) -> Refusal {
        let fix = fix.into();
        let fix = if self.local {
            format!("{fix}, or change {clause} in this node's node.toml")
        } else {
            fix
        };
        Refusal {
            rule,
            clause,
            message,
            fix,
        }
    }
}

pub(super) fn set_min(
    source: Source,
    clause: String,
    party: &str,
    set: &SetFacts<'_>,
    min: u64,
) -> Result<(), Refusal> {
    if !set.size.is_below(min) {
        return Ok(());
    }
    let message = format!(
        "{party} brings {} subjects, {} asks for {min} or more",
        set.size, source.words
    );
    Err(source.refusal("min_set", clause, message, "use a larger set"))
}

pub(super) fn set_max(
    source: Source,
    clause: String,
    party: &str,
    set: &SetFacts<'_>,
    max: u64,
) -> Result<(), Refusal> {
    if !set.size.is_above(max) {
        return Ok(());
    }
    let message = format!(
        "{party} brings {} subjects, {} allows {max}",
        set.size, source.words
    );
    Err(source.refusal("max_set", clause, message, "use a smaller set"))
}

pub(super) fn age(
    source: Source,
    clause: String,
    now_s: u64,
    set: &SetFacts<'_>,
    days_max: u32,
) -> Result<(), Refusal> {
    let age_max_s = u64::from(days_max) * 86_400;
    let is_old = |loaded_at_s| now_s.saturating_sub(loaded_at_s) > age_max_s;
    if !set.loaded_at_s.is_some_and(is_old) {
        return Ok(());
    }
    let message = format!("`{}` was loaded more than {days_max} days ago", set.dataset);
    Err(source.refusal("max_age_days", clause, message, "load it again"))
}

pub(super) fn rounds_per_day(
    source: Source,
    clause: String,
    counters: &Counters,
    max: u32,
) -> Result<(), Refusal> {
    if counters.rounds_today < max {
        return Ok(());
    }
    let message = format!(
        "{} round today, {} allows {max}",
        ordinal(u64::from(counters.rounds_today) + 1),
        source.words
    );
    Err(source.refusal("rounds_per_day", clause, message, "wait until 00:00 UTC"))
}

pub(super) fn min_interval(
    source: Source,
    clause: String,
    now_s: u64,
    counters: &Counters,
    min: Duration,
) -> Result<(), Refusal> {
    let Some(last_s) = counters.last_round_s else {
        return Ok(());
    };
    // A clock that stepped back behind the latest round counts as no time passed.
    let since_s = now_s.saturating_sub(last_s);
    if since_s >= min.as_s() {
        return Ok(());
    }
    let message = format!(
        "the latest round started {} ago, {} asks for {min}",
        Duration::from_s(since_s),
        source.words
    );
    let fix = format!("wait {}", Duration::from_s(min.as_s() - since_s));
    Err(source.refusal("min_interval", clause, message, fix))
}

pub(super) fn subjects_per_month(
    source: Source,
    clause: String,
    proposal: &Proposal<'_>,
    counters: &Counters,
    max: u64,
) -> Result<(), Refusal> {
    let padded = proposal.requester.size.padded();
    if counters.subjects_this_month.saturating_add(padded) <= max {
        return Ok(());
    }
    let message = format!(
        "the question counts as {padded} subjects, {} of {max} that {} allows are left this month",
        max.saturating_sub(counters.subjects_this_month),
        source.words
    );
    let fix = "ask about fewer subjects, or wait until next month";
    Err(source.refusal("subjects_per_month", clause, message, fix))
}

pub(super) fn evaluations(
    source: Source,
    clause: String,
    planned: &Evaluations<'_>,
    max: u64,
    period: Duration,
) -> Result<(), Refusal> {
    if planned.used_in_period.saturating_add(planned.padded) <= max {
        return Ok(());
    }
    let message = format!(
        "the round needs {} evaluations of {}, {} of {max} that {} allows in {period} are left",
        planned.padded,
        planned.match_key,
        max.saturating_sub(planned.used_in_period),
        source.words
    );
    let fix = "wait for the next period, or use a smaller set";
    Err(source.refusal("evaluations", clause, message, fix))
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
