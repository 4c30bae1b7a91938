//! What is permitted and probably not meant.

use mandorla_linkage::DefaultDob;

use crate::bounds::{SCHEMA, SET_SUBJECTS_MAX};
use crate::direction::{Direction, class_log2};
use crate::finding::{Finding, Findings, Severity};
use crate::{Agreement, AgreementError, Answer};

/// Below this many subjects a round comes close to asking about single people.
const SMALL_SET: u64 = 20;

/// Below this margin a quota lets a guesser try a noticeable share of all values.
const SMALL_MARGIN_BITS: u32 = 4;

/// Everything there is to say about a file: errors if it is not an agreement, otherwise [`Agreement::lint`].
pub fn lint(bytes: &[u8]) -> Vec<Finding> {
    match Agreement::parse(bytes) {
        Ok(agreement) => agreement.lint(),
        Err(AgreementError::Clauses(findings)) => findings,
        Err(error) => vec![Finding {
            severity: Severity::Error,
            clause: error.clause().to_owned(),
            message: error.to_string(),
            fix: error.fix(),
        }],
    }
}

impl Agreement {
    /// Warnings and notes, the gravest first. An agreement that exists has no errors.
    pub fn lint(&self) -> Vec<Finding> {
        let mut findings = Findings::default();
        lint_timetable(self, &mut findings);
        lint_law(self, &mut findings);
        lint_answer(self, &mut findings);
        for direction in self.directions() {
            lint_direction(&direction, &mut findings);
        }
        findings
            .0
            .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings.0
    }
}

fn lint_timetable(agreement: &Agreement, f: &mut Findings) {
    let terms = agreement.terms();
    if terms.review_due < terms.not_before || terms.review_due > terms.expires {
        f.add(
            Severity::Warning,
            "review_due",
            format!(
                "the review ({}) is not within the life of the agreement",
                terms.review_due
            ),
            "write a date between not_before and expires",
        );
    }
    if terms.linkage.default_dob_policy == DefaultDob::Keep {
        f.add(
            Severity::Warning,
            "linkage.default_dob_policy",
            "1 January is often a placeholder; counted as a date it joins different people",
            "write \"missing\"",
        );
    }
    if !terms.pilot_required {
        f.add(
            Severity::Note,
            "pilot_required",
            "real data may flow without a pilot on synthetic data",
            "write pilot_required = true unless a pilot has taken place",
        );
    }
    debug_assert_eq!(terms.schema, SCHEMA);
}

fn lint_law(agreement: &Agreement, f: &mut Findings) {
    for (party, legal) in &agreement.terms().legal {
        let clauses = [
            ("instrument", &legal.instrument),
            ("basis", &legal.basis),
            ("transfer_basis", &legal.transfer_basis),
            ("dpia_ref", &legal.dpia_ref),
        ];
        for (name, text) in clauses {
            if text.trim().is_empty() {
                f.add(
                    Severity::Warning,
                    format!("legal.{party}.{name}"),
                    format!("{party} names no {name}"),
                    "name it; policy_context is no legal ground",
                );
            }
        }
    }
}

fn lint_answer(agreement: &Agreement, f: &mut Findings) {
    let answer = &agreement.terms().answer;
    for (party, review) in &agreement.terms().review {
        let sla_s = u64::from(review.sla_hours) * 3_600;
        let last_s = answer.last_slot_s();
        let open_s = last_s - Answer::cutoff_lead_s(last_s).min(last_s);
        if sla_s > open_s {
            f.add(
                Severity::Warning,
                format!("review.{party}.sla_hours"),
                format!("{party} means to decide within {} h, the last answer is frozen after {open_s} s", review.sla_hours),
                "lower sla_hours or add a later slot",
            );
        }
    }
}

fn lint_direction(direction: &Direction<'_>, f: &mut Findings) {
    let (name, limits) = (direction.name(), direction.limits());
    if limits.min_set < SMALL_SET {
        f.add(
            Severity::Warning,
            format!("limits.{name}.min_set"),
            format!(
                "a round may ask about {} subjects: counts alone then speak of people",
                limits.min_set
            ),
            format!("write at least {SMALL_SET} unless single cases are the purpose"),
        );
    }
    let padded_max = 1_u64 << class_log2(limits.max_set.min(SET_SUBJECTS_MAX));
    if limits.subjects_per_month < padded_max {
        f.add(
            Severity::Warning,
            format!("limits.{name}.subjects_per_month"),
            format!("a question of max_set counts as {padded_max} and can never be asked"),
            format!("write at least {padded_max}, or lower max_set"),
        );
    }
    for (id, quota) in &limits.evaluations {
        if quota.guess_margin_bits < SMALL_MARGIN_BITS {
            f.add(
                Severity::Warning,
                format!("limits.{name}.evaluations.{id}.guess_margin_bits"),
                format!(
                    "the quota lets the responder try 1 in {} of all values of {id} a period",
                    1 << quota.guess_margin_bits
                ),
                format!("lower count and write a margin of {SMALL_MARGIN_BITS} bits or more"),
            );
        }
    }
    let evaluations_max: u64 = 1 << class_log2(direction.responder_subjects_max());
    for (id, quota) in limits
        .evaluations
        .iter()
        .filter(|(_, quota)| quota.count < evaluations_max)
    {
        f.add(
            Severity::Warning,
            format!("limits.{name}.evaluations.{id}.count"),
            format!("{} evaluations do not cover one round over the responder's largest set ({evaluations_max})", quota.count),
            "raise count or lower responder_max_set",
        );
    }
    if direction.disclosure().fields_on_match.is_empty() {
        f.add(
            Severity::Note,
            format!("disclosure.{name}.fields_on_match"),
            "a release tells that there is a hit and nothing else",
            "name fields if more may be released",
        );
    }
}
