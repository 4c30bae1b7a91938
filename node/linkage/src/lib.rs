//! Linkage rules: from a table of people to the strings that two agencies compare.
//!
//! ```text
//!   table.csv ──┐                      linkage rules (of the agreement)
//!               ├─► load ─► Subject ──────────► match keys ──► (blinded, evaluated, compared elsewhere)
//!   map.toml ───┘     └─► LoadReport                │
//!                                                   ▼
//!                      masks of agreed and present key types ─► grade, explain
//! ```
//!
//! Equal strings are all that a private set intersection finds, so what counts as the same person is decided here: a
//! [`MapFile`] names the columns, [`load_csv`] reads them into [`Subject`]s and accounts for every row,
//! [`LinkageRules`] derive several [`MatchKey`]s from each, and [`grade`] says what the agreement of some of them means.
//! Both nodes must do it byte for byte alike; [`LinkageRules::hash`] covers everything that could differ. The crate
//! has no clock, no network and no files: it reads from what it is given.
//!
//! [`oracle`] is the plaintext join that results are compared with, [`generate`] makes fictional lists with their truth.

#![forbid(unsafe_code)]

mod date;
mod exclusion;
mod field;
mod fold;
pub mod generate;
mod grade;
mod jmbg;
mod load;
mod map_file;
pub mod oracle;
mod profile;
mod rules;
mod subject;
mod transform;

pub use exclusion::{Exclusion, UnknownExclusion};
pub use field::{Field, Group, UnknownField};
pub use fold::{fold, is_placeholder};
pub use grade::{Grade, explain, grade};
pub use load::{
    BadDates, FIELD_BYTES_MAX, LINES_PER_REASON_MAX, Load, LoadError, LoadReport, LoadWarnings,
    LocalExclusions, MissingColumn, ROW_BYTES_MAX, ROWS_MAX, RejectReason, RejectedRows, RowLimits,
    VALUES_PER_SUBJECT_MAX, load_csv,
};
pub use map_file::{DELIMITERS, FLAG_NO, FLAG_YES, MapFile, MapFileError, RepeatedRef};
pub use profile::{FieldProfile, KeyCounts, KeyProfile, Profile};
pub use rules::{
    DefaultDob, DerivedKeys, FIELDS_PER_KEY_MAX, LinkageRules, MATCH_KEY_RULES_MAX,
    MATCH_KEYS_PER_SUBJECT_MAX, MatchKey, MatchKeyRule, PROFILE, PROFILE_VERSION, RulesError,
    Strength, Transforms, key_types_present,
};
pub use subject::{SUBJECT_FORM, Subject, SubjectFormError, Tuple};
pub use transform::Transform;
