//! How much of a match key's values a quota lets the responder try: the requester's evaluations are an oracle, and a
//! value with few bits can be guessed through it (`domain`: a national number has 500 candidates once birth date, sex
//! and region are known).

use crate::direction::{Direction, class_log2};
use crate::finding::{Findings, Severity};

/// Below this margin a quota lets a guesser try a noticeable share of all values.
const SMALL_MARGIN_BITS: u32 = 4;

const DAY_S: u64 = 86_400;

pub(super) fn lint(direction: &Direction<'_>, f: &mut Findings) {
    let (name, limits) = (direction.name(), direction.limits());
    let life_s = direction.life_s();
    let round = 1_u128 << class_log2(direction.responder_subjects_max());
    let a_day = round * u128::from(limits.rounds_per_day);
    for key in direction.match_keys() {
        let Some(quota) = limits.evaluations.get(&key.id) else {
            continue; // refused when the agreement was read
        };
        let bits = u32::from(key.bits.unwrap_or(0));
        let values = 1_u128.checked_shl(bits).unwrap_or(u128::MAX);
        let (count, margin) = (u128::from(quota.count), quota.guess_margin_bits);
        let clause = format!("limits.{name}.evaluations.{}", key.id);
        if count >= values {
            f.add(
                Severity::Error,
                format!("{clause}.count"),
                format!(
                    "{count} evaluations in {} cover all 2^{bits} = {values} values of {}: {} could try every one",
                    quota.period,
                    key.id,
                    direction.responder().code
                ),
                format!("lower count to 2^({bits} - {SMALL_MARGIN_BITS}) or less, and write that margin"),
            );
            continue;
        }
        if margin < SMALL_MARGIN_BITS {
            f.add(
                Severity::Warning,
                format!("{clause}.guess_margin_bits"),
                format!(
                    "the quota lets {} try up to 1 in {} of all 2^{bits} values of {} in {}",
                    direction.responder().code,
                    1_u64 << margin,
                    key.id,
                    quota.period
                ),
                format!("lower count and write a margin of {SMALL_MARGIN_BITS} bits or more"),
            );
        }
        let period_days = quota.period.as_s().div_ceil(DAY_S);
        let asked = a_day * u128::from(period_days);
        if asked > count {
            f.add(
                Severity::Warning,
                format!("limits.{name}.rounds_per_day"),
                format!(
                    "{} rounds a day of {round} padded evaluations come to {asked} of {} in {}; the quota ends them at {count}",
                    limits.rounds_per_day, key.id, quota.period
                ),
                format!("lower rounds_per_day or responder_max_set, or raise count within 2^({bits} - {margin})"),
            );
        }
        let periods = life_s.div_ceil(quota.period.as_s().max(1));
        let by_quota = count * u128::from(periods);
        let by_rounds = a_day * u128::from(life_s.div_ceil(DAY_S));
        if by_quota.min(by_rounds) >= values {
            f.add(
                Severity::Warning,
                format!("{clause}.count"),
                format!(
                    "over the agreement's life the quota allows {count} × {periods} = {by_quota} evaluations of {}, and the \
                     rounds need {by_rounds}; there are only 2^{bits} = {values} values, and {} could try them all",
                    key.id,
                    direction.responder().code
                ),
                "lower count, lengthen its period, or shorten the agreement",
            );
        }
    }
}
