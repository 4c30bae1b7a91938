//! What a load tells the operator and the ledger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::exclusion::Exclusion;
use crate::field::Field;

/// One in 365 birth dates is 1 January by chance; above this share it is a placeholder in use.
const FIRST_OF_JANUARY_PERCENT: u64 = 1;

/// The account of one load; counts, line numbers and a digest only, never a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    /// Rows below the header; blank lines are no rows.
    pub rows_in: u64,
    /// Rows that became subjects, or parts of them.
    pub accepted: u64,
    /// Subjects: as many as accepted rows, unless several rows are one subject.
    pub subjects: u64,
    /// Rows of subjects that the node's own policy keeps out. Every row is accepted, rejected or excluded.
    pub excluded_rows: u64,
    /// Subjects that the node's own policy keeps out.
    pub excluded_subjects: u64,
    /// These by predicate; who falls under several counts under each.
    pub excluded: BTreeMap<String, u64>,
    /// Accepted subjects that carry an exclusion, which an agreement's scope may keep out of its rounds.
    pub flagged: BTreeMap<Exclusion, u64>,
    /// Rows refused, by reason.
    pub rejected: BTreeMap<RejectReason, RejectedRows>,
    /// What was accepted and still deserves a look.
    pub warnings: LoadWarnings,
    /// Size of the file.
    pub bytes_in: u64,
    /// SHA-256 of the file's bytes, a byte order mark included; lower-case hexadecimal.
    pub sha256: String,
}

impl LoadReport {
    /// Rows refused for any reason.
    pub fn rejected_rows(&self) -> u64 {
        self.rejected.values().map(|rejected| rejected.rows).sum()
    }

    pub(super) fn reject(&mut self, reason: RejectReason, line: u64, lines_max: usize) {
        let rejected = self.rejected.entry(reason).or_default();
        rejected.rows += 1;
        if rejected.first_lines.len() < lines_max {
            rejected.first_lines.push(line);
        }
    }
}

/// Rows refused for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRows {
    /// How many.
    pub rows: u64,
    /// The lines (from 1) in which the first of them start.
    pub first_lines: Vec<u64>,
}

/// Why a row was refused. A row has one reason, the first that applies in this order, by column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// More or fewer fields than the header.
    WrongFieldCount,
    /// A mapped field beyond the limit.
    FieldTooLong,
    /// A mapped field that is not UTF-8.
    NotUtf8,
    /// A cell of `[exclude]` that is neither yes nor no.
    BadFlag,
    /// A date of birth that the map file's format does not give.
    BadDate,
    /// Lists that should go together, with different numbers of values.
    UnevenLists,
    /// More identities, documents, values or rows than one person has.
    TooManyValues,
    /// No reference.
    MissingRef,
    /// A reference that an accepted row already has. Where rows may share a reference, one that stands apart from them.
    DuplicateRef,
    /// Another row of the same subject was refused: what that row says of the subject is not known.
    SameSubject,
}

impl RejectReason {
    /// Every reason, in the order in which they apply.
    pub const ALL: &[Self] = &[
        Self::WrongFieldCount,
        Self::FieldTooLong,
        Self::NotUtf8,
        Self::BadFlag,
        Self::BadDate,
        Self::UnevenLists,
        Self::TooManyValues,
        Self::MissingRef,
        Self::DuplicateRef,
        Self::SameSubject,
    ];

    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::WrongFieldCount => "wrong number of fields",
            Self::FieldTooLong => "field too long",
            Self::NotUtf8 => "not UTF-8",
            Self::BadFlag => "exclusion neither yes nor no",
            Self::BadDate => "bad date of birth",
            Self::UnevenLists => "lists of different lengths",
            Self::TooManyValues => "too many values for one subject",
            Self::MissingRef => "no reference",
            Self::DuplicateRef => "reference used before",
            Self::SameSubject => "another row of the subject was rejected",
        }
    }
}

/// Counts over the accepted subjects, and some over refused rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadWarnings {
    /// Subjects, of which the others are parts.
    pub subjects: u64,
    /// The file has a header and nothing else.
    pub no_rows: bool,
    /// Subjects with a date of birth.
    pub birth_dates: u64,
    /// Of these, on 1 January.
    pub birth_dates_first_of_january: u64,
    /// Rows loaded without their bad date of birth.
    pub bad_dates_dropped: u64,
    /// Subjects with a reference and nothing else but constants: they can never match.
    pub rows_with_ref_only: u64,
    /// Mapped fields without a value in any accepted subject.
    pub empty_columns: Vec<Field>,
    /// Subjects without a usable value, by mapped field that some have; placeholders are not usable.
    pub missing: BTreeMap<Field, u64>,
    /// Of these, subjects that have placeholders (UNKNOWN, XXX, 000000000, …) there.
    pub placeholders: BTreeMap<Field, u64>,
    /// How many subjects at least have the same value, where that is suspicious.
    pub repeated: BTreeMap<Field, u64>,
    /// Subjects with a national number of no stated type: no match key with the type exists.
    pub numbers_without_type: u64,
    /// Subjects with a document of no stated state: no match key with the state exists.
    pub documents_without_state: u64,
    /// Subjects taken for minors by their date of birth; `None` where a column says so, or nothing was worked out.
    pub minors_by_birth_date: Option<u64>,
    /// Refused rows that carry an exclusion, or a cell that may mean one.
    pub flagged_rows_refused: u64,
}

impl LoadWarnings {
    /// The warnings in words, one line each; empty if there is nothing to say.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.no_rows {
            lines.push("the file has a header and no rows: a list of nobody".to_owned());
        }
        self.say_birth_dates(&mut lines);
        if self.rows_with_ref_only > 0 {
            lines.push(format!(
                "{} have a reference and nothing else: they can never match",
                share(self.rows_with_ref_only, self.subjects, "subjects")
            ));
        }
        for field in &self.empty_columns {
            lines.push(format!("`{field}` is empty in every row"));
        }
        for (field, missing) in &self.missing {
            let placeholders = self.placeholders.get(field).map(|placeholders| {
                format!(", {placeholders} of them with a placeholder such as UNKNOWN")
            });
            lines.push(format!(
                "{} have no `{field}`{}",
                share(*missing, self.subjects, "subjects"),
                placeholders.unwrap_or_default()
            ));
        }
        for (field, count) in &self.repeated {
            lines.push(format!(
                "one value of `{field}` stands at {} or more: a placeholder, or a slipped column?",
                share(*count, self.subjects, "subjects")
            ));
        }
        if self.numbers_without_type > 0 {
            lines.push(format!(
                "{} have a `national_id` without `national_id_type`: match keys with the type do not exist for them",
                share(self.numbers_without_type, self.subjects, "subjects")
            ));
        }
        if self.documents_without_state > 0 {
            lines.push(format!(
                "{} have a `document_number` without `document_state`: match keys with the state do not exist for them",
                share(self.documents_without_state, self.subjects, "subjects")
            ));
        }
        if self.flagged_rows_refused > 0 {
            lines.push(format!(
                "{} refused rows carry an exclusion, or a cell that may mean one",
                self.flagged_rows_refused
            ));
        }
        lines
    }

    fn say_birth_dates(&self, lines: &mut Vec<String>) {
        if self.birth_dates_first_of_january * 100 > self.birth_dates * FIRST_OF_JANUARY_PERCENT {
            lines.push(format!(
                "{} are 1 January, likely a placeholder",
                share(
                    self.birth_dates_first_of_january,
                    self.birth_dates,
                    "birth dates"
                )
            ));
        }
        if self.bad_dates_dropped > 0 {
            lines.push(format!(
                "{} rows were loaded without their bad date of birth",
                self.bad_dates_dropped
            ));
        }
        if let Some(minors) = self.minors_by_birth_date {
            let unknown = self.subjects - self.birth_dates;
            if minors > 0 {
                lines.push(format!(
                    "{} are minors by their date of birth; no column of the map file says so",
                    share(minors, self.subjects, "subjects")
                ));
            }
            if unknown > 0 {
                lines.push(format!(
                    "{} have no date of birth, so whether they are minors is not known",
                    share(unknown, self.subjects, "subjects")
                ));
            }
        }
    }
}

/// `14 % of birth dates (140 of 1000)`.
fn share(part: u64, whole: u64, of: &str) -> String {
    let tenths = (part * 1_000 + whole / 2).checked_div(whole).unwrap_or(0);
    let percent = match tenths {
        0 => "under 0.1".to_owned(),
        tenths if tenths < 100 && tenths % 10 != 0 => {
            format!("{}.{}", tenths / 10, tenths % 10)
        }
        tenths => ((tenths + 5) / 10).to_string(),
    };
    format!("{percent} % of {of} ({part} of {whole})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_said_in_percent_and_in_numbers() {
        for (part, whole, expected) in [
            (140, 1_000, "14 % of rows (140 of 1000)"),
            (1, 2, "50 % of rows (1 of 2)"),
            (13, 4_906, "0.3 % of rows (13 of 4906)"),
            (1, 100_000, "under 0.1 % of rows (1 of 100000)"),
            (999, 1_000, "100 % of rows (999 of 1000)"),
            (0, 0, "under 0.1 % of rows (0 of 0)"),
        ] {
            assert_eq!(share(part, whole, "rows"), expected);
        }
    }
}
