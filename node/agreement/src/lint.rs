//! What is permitted and probably not meant.

mod guessing;
mod law;

use mandorla_linkage::{DefaultDob, Field};

use crate::bounds::{SCHEMA, SET_SUBJECTS_MAX};
use crate::direction::{Direction, class_log2};
use crate::finding::{Finding, Findings, Severity};
use crate::{Agreement, AgreementError, Answer};

/// Below this many subjects a round comes close to asking about single people.
const SMALL_SET: u64 = 20;

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
    /// Errors, warnings and notes, the gravest first. [`Agreement::parse`] lets a draft have blanks; what is found here
    /// as an error must not be proposed or signed.
    pub fn lint(&self) -> Vec<Finding> {
        let mut findings = Findings::default();
        lint_timetable(self, &mut findings);
        law::lint(self, &mut findings);
        lint_scope(self, &mut findings);
        lint_answer(self, &mut findings);
        for direction in self.directions() {
            lint_direction(&direction, &mut findings);
            guessing::lint(&direction, &mut findings);
            lint_disclosure(&direction, &mut findings);
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

fn lint_scope(agreement: &Agreement, f: &mut Findings) {
    let scope = &agreement.terms().scope;
    if scope.exclude.is_empty() {
        f.add(
            Severity::Warning,
            "scope.exclude",
            "nobody is excluded, and some people must never be asked about",
            "name asylum_claim, minor, trafficking_victim or contested_record, as far as the records tell",
        );
    }
    let nationalities = || {
        scope
            .nationalities_in
            .iter()
            .chain(&scope.nationalities_out)
    };
    if nationalities().any(|code| code.len() == 2) && nationalities().any(|code| code.len() == 3) {
        f.add(
            Severity::Warning,
            "scope.nationalities_in",
            "the lists mix codes of two and of three letters; a record's code is compared as it stands",
            "use the form that both agencies' records have",
        );
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
}

/// A redacted field takes its match keys with it: a key is named only if all its fields are released.
fn lint_disclosure(direction: &Direction<'_>, f: &mut Findings) {
    let (name, disclosure) = (direction.name(), direction.disclosure());
    if disclosure.fields_on_match.is_empty() {
        f.add(
            Severity::Note,
            format!("disclosure.{name}.fields_on_match"),
            "a release tells that there is a hit and nothing else",
            "name fields if more may be released",
        );
    }
    for key in direction.match_keys() {
        let missing = |field: &&Field| !disclosure.fields_on_match.contains(field);
        let forbidden = |field: &&Field| disclosure.forbidden_fields.contains(field);
        let alone = if key.alone {
            ", which makes a hit alone,"
        } else {
            ""
        };
        if let Some(field) = key.fields.iter().find(forbidden) {
            f.add(
                Severity::Warning,
                format!("disclosure.{name}.forbidden_fields"),
                format!(
                    "match key {}{alone} is made of `{field}`, which is forbidden: no release can ever name it",
                    key.id
                ),
                format!("allow {field}, or drop the match key"),
            );
        } else if let Some(field) = key.fields.iter().find(missing) {
            f.add(
                Severity::Note,
                format!("disclosure.{name}.fields_on_match"),
                format!(
                    "match key {}{alone} is made of `{field}`, which is not released: no release can ever name it",
                    key.id
                ),
                format!("add {field} if a release is to say that {} agreed", key.id),
            );
        }
    }
}
