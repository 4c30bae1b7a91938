//! Limits, quotas and disclosure of each direction.

use mandorla_linkage::MatchKeyRule;

use super::{require_fields, require_range};
use crate::bounds::{
    GUESS_MARGIN_BITS_MAX, ITEM_BYTES_MIN, KEYS_PER_SUBJECT_MAX, MIN_INTERVAL_S_MAX,
    PACKAGE_FIELD_BYTES, QUOTA_PERIOD_S_MAX, ROUNDS_PER_DAY_MAX, SET_SUBJECTS_MAX,
};
use crate::direction::{class_log2, direction_name, keys_per_subject_max, responder_subjects_max};
use crate::finding::Findings;
use crate::terms::{Disclosure, EvaluationQuota, Limits, Terms};

pub(super) fn check_directions(terms: &Terms, f: &mut Findings) {
    f.require(
        !terms.limits.is_empty(),
        "limits",
        "no direction is permitted",
        "add [limits.A_to_B] and [disclosure.A_to_B]",
    );
    let (a, b) = (&terms.party[0].code, &terms.party[1].code);
    let known = [(direction_name(a, b), b), (direction_name(b, a), a)];
    for name in terms.limits.keys().chain(terms.disclosure.keys()) {
        f.require(
            known.iter().any(|(direction, _)| direction == name),
            if terms.limits.contains_key(name) {
                format!("limits.{name}")
            } else {
                format!("disclosure.{name}")
            },
            format!("`{name}` is not a direction between the parties"),
            format!("write {} or {}", known[0].0, known[1].0),
        );
    }
    for (name, responder) in known {
        match (terms.limits.get(&name), terms.disclosure.get(&name)) {
            (None, None) => {}
            (Some(limits), Some(disclosure)) => {
                check_limits(terms, limits, &name, responder, f);
                check_disclosure(terms, disclosure, &name, f);
            }
            (Some(_), None) => f.require(
                false,
                format!("disclosure.{name}"),
                "the direction has limits and no disclosure",
                format!("add [disclosure.{name}]"),
            ),
            (None, Some(_)) => f.require(
                false,
                format!("limits.{name}"),
                "the direction has a disclosure and no limits",
                format!("add [limits.{name}]"),
            ),
        }
    }
}

fn check_limits(terms: &Terms, limits: &Limits, name: &str, responder: &str, f: &mut Findings) {
    let at = |field: &str| format!("limits.{name}.{field}");
    require_range(limits.max_set, 1, SET_SUBJECTS_MAX, &at("max_set"), f);
    require_range(limits.min_set, 0, limits.max_set.max(1), &at("min_set"), f);
    let responder_max = responder_subjects_max(terms, limits, responder);
    require_range(
        responder_max,
        limits.min_set.max(1),
        SET_SUBJECTS_MAX,
        &at("responder_max_set"),
        f,
    );
    let keys_max = u64::from(keys_per_subject_max(terms, limits));
    require_range(
        keys_max,
        1,
        u64::from(KEYS_PER_SUBJECT_MAX),
        &at("keys_per_subject_max"),
        f,
    );
    require_range(
        u64::from(limits.rounds_per_day),
        1,
        u64::from(ROUNDS_PER_DAY_MAX),
        &at("rounds_per_day"),
        f,
    );
    require_range(
        limits.min_interval.as_s(),
        0,
        MIN_INTERVAL_S_MAX,
        &at("min_interval"),
        f,
    );
    let padded_min = 1 << class_log2(limits.min_set.min(SET_SUBJECTS_MAX));
    require_range(
        limits.subjects_per_month,
        padded_min,
        u64::MAX >> 1,
        &at("subjects_per_month"),
        f,
    );
    for key in &terms.match_key {
        match limits.evaluations.get(&key.id) {
            Some(quota) => check_quota(key, quota, &at(&format!("evaluations.{}", key.id)), f),
            None => f.require(
                false,
                at(&format!("evaluations.{}", key.id)),
                format!("match key {} has no quota", key.id),
                format!("add [limits.{name}.evaluations.{}]", key.id),
            ),
        }
    }
    for id in limits.evaluations.keys() {
        f.require(
            terms.match_key.iter().any(|key| key.id == *id),
            at(&format!("evaluations.{id}")),
            format!("there is no match key `{id}`"),
            "name a [[match_key]], or remove the quota",
        );
    }
}

/// A match key of b bits must not be guessed through: `count ≤ 2^(b − margin)`.
fn check_quota(key: &MatchKeyRule, quota: &EvaluationQuota, clause: &str, f: &mut Findings) {
    require_range(
        quota.period.as_s(),
        1,
        QUOTA_PERIOD_S_MAX,
        &format!("{clause}.period"),
        f,
    );
    require_range(
        u64::from(quota.guess_margin_bits),
        0,
        u64::from(GUESS_MARGIN_BITS_MAX),
        &format!("{clause}.guess_margin_bits"),
        f,
    );
    f.require(
        quota.count >= 1,
        format!("{clause}.count"),
        "a quota of 0 ends every round",
        "write at least 1",
    );
    let bits = u32::from(key.bits.unwrap_or(0));
    let exponent = bits.checked_sub(quota.guess_margin_bits);
    let count_max = exponent.map(|bits| 1_u64.checked_shl(bits).unwrap_or(u64::MAX));
    let margin = quota.guess_margin_bits;
    f.require(
        count_max.is_some_and(|max| quota.count <= max),
        format!("{clause}.count"),
        match count_max {
            Some(max) => format!(
                "{} evaluations in {} of the 2^{bits} values of {}; at most 2^({bits} - {margin}) = {max} in a period",
                quota.count, quota.period, key.id
            ),
            None => format!(
                "{} evaluations in {} of the 2^{bits} values of {}, and a margin of {margin} bits leaves none",
                quota.count, quota.period, key.id
            ),
        },
        format!("write at most 2^({bits} - {margin})"),
    );
}

fn check_disclosure(terms: &Terms, disclosure: &Disclosure, name: &str, f: &mut Findings) {
    let at = |field: &str| format!("disclosure.{name}.{field}");
    require_fields(&disclosure.fields_on_match, &at("fields_on_match"), f);
    require_fields(&disclosure.forbidden_fields, &at("forbidden_fields"), f);
    for field in &disclosure.fields_on_match {
        f.require(
            !disclosure.forbidden_fields.contains(field),
            at("fields_on_match"),
            format!("`{field}` is released and forbidden at once"),
            "remove it from one of the two lists",
        );
    }
    let names_bytes: u64 = disclosure
        .fields_on_match
        .iter()
        .map(|field| field.name().len() as u64)
        .sum();
    let needed_bytes =
        names_bytes + u64::from(PACKAGE_FIELD_BYTES) * disclosure.fields_on_match.len() as u64;
    f.require(
        needed_bytes <= u64::from(terms.answer.item_bytes),
        "answer.item_bytes",
        format!(
            "{name} may release {} fields, which need {needed_bytes} bytes",
            disclosure.fields_on_match.len()
        ),
        format!(
            "write item_bytes = {} or more",
            needed_bytes
                .next_power_of_two()
                .max(u64::from(ITEM_BYTES_MIN))
        ),
    );
}
