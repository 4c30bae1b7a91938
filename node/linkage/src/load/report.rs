//! What a load tells the operator and the ledger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::field::Field;

/// One in 365 birth dates is 1 January by chance; above this share it is a placeholder in use.
const FIRST_OF_JANUARY_PERCENT: u64 = 1;

/// The account of one load; counts, line numbers and a digest only, never a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    /// Rows below the header; blank lines are no rows.
    pub rows_in: u64,
    /// Rows that became subjects.
    pub accepted: u64,
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
    /// A date of birth that the map file's format does not give.
    BadDate,
    /// No reference.
    MissingRef,
    /// A reference that an accepted row already has.
    DuplicateRef,
}

impl RejectReason {
    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::WrongFieldCount => "wrong number of fields",
            Self::FieldTooLong => "field too long",
            Self::NotUtf8 => "not UTF-8",
            Self::BadDate => "bad date of birth",
            Self::MissingRef => "no reference",
            Self::DuplicateRef => "reference used before",
        }
    }
}

/// Counts over the accepted rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadWarnings {
    /// Rows with a date of birth.
    pub birth_dates: u64,
    /// Of these, on 1 January.
    pub birth_dates_first_of_january: u64,
    /// Rows loaded without their bad date of birth.
    pub bad_dates_dropped: u64,
    /// Rows with a reference and nothing else: they can never match.
    pub rows_with_ref_only: u64,
    /// Mapped columns without a value in any accepted row.
    pub empty_columns: Vec<Field>,
}

impl LoadWarnings {
    /// The warnings in words, one line each; empty if there is nothing to say.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.birth_dates_first_of_january * 100 > self.birth_dates * FIRST_OF_JANUARY_PERCENT {
            lines.push(format!(
                "{} of {} birth dates are 1 January, likely a placeholder",
                self.birth_dates_first_of_january, self.birth_dates
            ));
        }
        if self.bad_dates_dropped > 0 {
            lines.push(format!(
                "{} rows were loaded without their bad date of birth",
                self.bad_dates_dropped
            ));
        }
        if self.rows_with_ref_only > 0 {
            lines.push(format!(
                "{} rows have a reference and nothing else",
                self.rows_with_ref_only
            ));
        }
        for field in &self.empty_columns {
            lines.push(format!("the column of `{field}` is empty in every row"));
        }
        lines
    }
}
