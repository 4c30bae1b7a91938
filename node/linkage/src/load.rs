//! Loading a CSV table through a map file, row by row, in bounded memory.

mod error;
mod header;
mod report;
mod row;
mod source;
mod tally;

use std::collections::{BTreeSet, HashSet};
use std::io::Read;

use csv::ByteRecord;
use sha2::{Digest, Sha256};

pub use self::error::{LoadError, MissingColumn};
use self::header::{Layout, read_layout};
pub use self::report::{LoadReport, LoadWarnings, RejectReason, RejectedRows};
use self::row::Row;
use self::source::Source;
use self::tally::Tally;
use crate::date::Date;
use crate::exclusion::Exclusion;
use crate::field::{Field, Group};
use crate::map_file::{MapFile, RepeatedRef};
use crate::subject::Subject;

/// No field of a person is longer; what is longer is a quote left open or a wrong column.
pub const FIELD_BYTES_MAX: usize = 4 * 1024;
/// Bounds the memory of one row: some hundred columns of text fit, and an open quote cannot swallow the file.
pub const ROW_BYTES_MAX: u64 = 1024 * 1024;
/// The largest register that the design measures; the references seen take 16 bytes a row.
pub const ROWS_MAX: u64 = 100_000_000;
/// Enough lines to find a pattern of faults, few enough to read.
pub const LINES_PER_REASON_MAX: usize = 20;
/// Values of one field, identities, documents, and rows of one subject: nobody known has more, and a wrong separator
/// gives thousands.
pub const VALUES_PER_SUBJECT_MAX: usize = 64;
/// Age from which nobody is a minor: article 1 of the UN Convention on the Rights of the Child.
const ADULT_FROM_YEARS: u16 = 18;

/// What to do with a row whose date of birth is no date in the map file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BadDates {
    /// Refuse the row: the operator sees and mends it.
    #[default]
    RejectRow,
    /// Load the row without a date of birth, and count it as a warning.
    DropValue,
}

/// Bounds and choices of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowLimits {
    /// Longest mapped field in bytes.
    pub field_bytes_max: usize,
    /// Longest row in bytes (counted in steps of the read buffer); a longer one ends the load.
    pub row_bytes_max: u64,
    /// Most rows; one more ends the load.
    pub rows_max: u64,
    /// Line numbers kept per reason of rejection.
    pub lines_per_reason_max: usize,
    /// What to do with a bad date of birth.
    pub bad_dates: BadDates,
    /// When the load happens, in seconds since 1970-01-01 UTC: where no column says who is a minor, it is worked out
    /// from the date of birth. Without a time it is not.
    pub now_unix_s: Option<u64>,
    /// Whom the node's own policy keeps out.
    pub local: LocalExclusions,
}

impl Default for RowLimits {
    fn default() -> Self {
        Self {
            field_bytes_max: FIELD_BYTES_MAX,
            row_bytes_max: ROW_BYTES_MAX,
            rows_max: ROWS_MAX,
            lines_per_reason_max: LINES_PER_REASON_MAX,
            bad_dates: BadDates::RejectRow,
            now_unix_s: None,
            local: LocalExclusions::default(),
        }
    }
}

/// Whom a node's own policy keeps out of every dataset: they are counted and never handed on.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LocalExclusions {
    /// Who carries one of these.
    pub exclude: BTreeSet<Exclusion>,
    /// Who has one of these nationalities, as the list writes them; case does not count.
    pub nationalities_out: BTreeSet<String>,
}

impl LocalExclusions {
    /// The words under which a subject is kept out; empty if it is not.
    pub fn apply_to(&self, subject: &Subject) -> Vec<String> {
        let mut words: Vec<String> = self
            .exclude
            .intersection(&subject.exclusions)
            .map(Exclusion::to_string)
            .collect();
        let out = |nationality: &String| {
            let nationality = nationality.to_uppercase();
            let mut listed = self.nationalities_out.iter();
            listed.any(|out| out.to_uppercase() == nationality)
        };
        if !self.nationalities_out.is_empty()
            && subject.values_of(Field::Nationality).iter().any(out)
        {
            words.push("nationalities_out".to_owned());
        }
        words
    }
}

/// Opens a CSV table: UTF-8 (a byte order mark is allowed) with a header line.
///
/// Reads the header only; the subjects come from iterating over the [`Load`].
///
/// # Errors
/// Every fault of the file as a whole: empty, not UTF-8, another delimiter, no header line, missing columns.
pub fn load_csv<'m, R: Read>(
    reader: R,
    map: &'m MapFile,
    limits: &RowLimits,
) -> Result<Load<'m, R>, LoadError> {
    let source = Source::open(reader, limits.row_bytes_max)?;
    let mut csv = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(map.delimiter())
        .from_reader(source);
    let mut header = ByteRecord::new();
    if !csv
        .read_byte_record(&mut header)
        .map_err(|error| error::fatal(error, 1))?
    {
        return Err(LoadError::Empty);
    }
    csv.get_ref().row_ended();
    Ok(Load {
        layout: read_layout(&header, map)?,
        column_count: header.len(),
        csv,
        record: ByteRecord::new(),
        map,
        limits: limits.clone(),
        references: HashSet::new(),
        pending: None,
        tally: Tally::new(map),
        report: LoadReport::default(),
        ended: false,
    })
}

/// A load in progress: an iterator over the accepted subjects, in the order of the file.
///
/// Memory is the rows of one subject, the report, and 16 bytes per reference. An `Err` item is a fault of the whole
/// file (reading failed, a row beyond the limits) and the last one.
pub struct Load<'m, R: Read> {
    csv: csv::Reader<Source<R>>,
    record: ByteRecord,
    map: &'m MapFile,
    limits: RowLimits,
    layout: Layout,
    column_count: usize,
    references: HashSet<[u8; 16]>,
    pending: Option<Pending>,
    tally: Tally,
    report: LoadReport,
    ended: bool,
}

/// The rows so far of a subject that may have more.
struct Pending {
    reference: [u8; 16],
    /// `None` once a row of it was refused: what that row said is not known, so nothing of the subject is kept.
    subject: Option<Subject>,
    /// The lines of its rows that were not refused themselves.
    lines: Vec<u64>,
}

impl<R: Read> Load<'_, R> {
    /// Reads what is left, hands each subject to `accept`, and reports on the whole file.
    pub fn for_each_subject(
        mut self,
        mut accept: impl FnMut(Subject),
    ) -> Result<LoadReport, LoadError> {
        while let Some(subject) = self.next_subject()? {
            accept(subject);
        }
        Ok(self.finished_report())
    }

    /// Reads what is left into memory; for small lists and tests.
    pub fn collect_subjects(self) -> Result<(Vec<Subject>, LoadReport), LoadError> {
        let mut subjects = Vec::new();
        let report = self.for_each_subject(|subject| subjects.push(subject))?;
        Ok((subjects, report))
    }

    /// Reads what is left without keeping it, and reports on the whole file.
    pub fn into_report(self) -> Result<LoadReport, LoadError> {
        self.for_each_subject(drop)
    }

    fn next_subject(&mut self) -> Result<Option<Subject>, LoadError> {
        while !self.ended {
            let more = self.csv.read_byte_record(&mut self.record);
            let line = self.record.position().map_or(0, csv::Position::line);
            let more = more.map_err(|error| {
                self.ended = true;
                error::fatal(error, line)
            })?;
            if !more {
                self.ended = true;
                break;
            }
            self.csv.get_ref().row_ended();
            let line = self.row_line(line);
            if self.report.rows_in == self.limits.rows_max {
                self.ended = true;
                return Err(LoadError::TooManyRows {
                    rows_max: self.limits.rows_max,
                });
            }
            self.report.rows_in += 1;
            let row = Row::read(
                &self.record,
                self.column_count,
                &self.layout,
                self.map,
                &self.limits,
            );
            self.report.warnings.bad_dates_dropped +=
                u64::from(row.date_dropped && row.subject.is_ok());
            let complete = match self.map.repeated_ref() {
                RepeatedRef::Reject => self.take_alone(row, line),
                RepeatedRef::SameSubject => self.take_joined(row, line),
            };
            if complete.is_some() {
                return Ok(complete);
            }
        }
        let last = self.pending.take();
        Ok(last.and_then(|pending| self.complete(pending)))
    }

    /// The line in which the row just read starts. The CSV reader knows only where it began to look for the row, which
    /// is above any blank lines; so this counts back from the row's end.
    fn row_line(&self, looked_from: u64) -> u64 {
        let end = self.csv.position();
        let bytes = self.record.as_slice();
        let inner = bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
        let terminator = u64::from(self.csv.get_ref().byte_before(end.byte()) == Some(b'\n'));
        end.line()
            .saturating_sub(inner + terminator)
            .max(looked_from)
    }

    /// A row is a subject.
    fn take_alone(&mut self, row: Row, line: u64) -> Option<Subject> {
        let reference = row.reference.as_deref().map(reference_digest);
        match row.subject {
            Ok(subject) => {
                if self.references.insert(reference?) {
                    self.accept(subject, 1)
                } else {
                    self.refuse(RejectReason::DuplicateRef, line, row.is_flagged);
                    None
                }
            }
            Err(reason) => {
                // A later row under this reference must not bring in without its flag who is flagged here.
                if let Some(reference) = reference
                    && row.is_flagged
                {
                    self.references.insert(reference);
                }
                self.refuse(reason, line, row.is_flagged);
                None
            }
        }
    }

    /// Rows that follow one another under one reference are a subject; the one before is complete when another begins.
    fn take_joined(&mut self, row: Row, line: u64) -> Option<Subject> {
        let Some(reference) = row.reference.as_deref().map(reference_digest) else {
            let reason = row.subject.err().unwrap_or(RejectReason::MissingRef);
            self.refuse(reason, line, row.is_flagged);
            return None;
        };
        if let Some(pending) = &mut self.pending
            && pending.reference == reference
        {
            match row.subject {
                Ok(further) => {
                    pending.lines.push(line);
                    if let Some(subject) = &mut pending.subject {
                        subject.absorb(further);
                    }
                    if pending.lines.len() > VALUES_PER_SUBJECT_MAX {
                        pending.subject = None;
                    }
                }
                Err(reason) => {
                    pending.subject = None;
                    self.refuse(reason, line, row.is_flagged);
                }
            }
            return None;
        }
        if !self.references.insert(reference) {
            self.refuse(RejectReason::DuplicateRef, line, row.is_flagged);
            return None;
        }
        let (subject, lines) = match row.subject {
            Ok(subject) => (Some(subject), vec![line]),
            Err(reason) => {
                self.refuse(reason, line, row.is_flagged);
                (None, Vec::new())
            }
        };
        let before = self.pending.replace(Pending {
            reference,
            subject,
            lines,
        });
        before.and_then(|before| self.complete(before))
    }

    fn complete(&mut self, pending: Pending) -> Option<Subject> {
        let rows = pending.lines.len() as u64;
        match pending.subject {
            Some(subject) if !row::has_too_many_values(&subject) => self.accept(subject, rows),
            other => {
                let reason = match other {
                    Some(_) => RejectReason::TooManyValues,
                    None if pending.lines.len() > VALUES_PER_SUBJECT_MAX => {
                        RejectReason::TooManyValues
                    }
                    None => RejectReason::SameSubject,
                };
                for line in pending.lines {
                    self.refuse(reason, line, false);
                }
                None
            }
        }
    }

    fn refuse(&mut self, reason: RejectReason, line: u64, is_flagged: bool) {
        self.report.warnings.flagged_rows_refused += u64::from(is_flagged);
        self.report
            .reject(reason, line, self.limits.lines_per_reason_max);
    }

    /// Hands a whole subject on, unless the node's own policy keeps it out.
    fn accept(&mut self, mut subject: Subject, rows: u64) -> Option<Subject> {
        if !self.map.flags().contains_key(&Exclusion::Minor)
            && self
                .limits
                .now_unix_s
                .is_some_and(|now| is_minor(&subject, now))
        {
            subject.exclusions.insert(Exclusion::Minor);
        }
        let words = self.limits.local.apply_to(&subject);
        if !words.is_empty() {
            self.report.excluded_rows += rows;
            self.report.excluded_subjects += 1;
            for word in words {
                *self.report.excluded.entry(word).or_default() += 1;
            }
            return None;
        }
        self.report.accepted += rows;
        self.report.subjects += 1;
        for exclusion in &subject.exclusions {
            *self.report.flagged.entry(*exclusion).or_default() += 1;
        }
        self.tally.count(&subject);
        Some(subject)
    }

    fn finished_report(self) -> LoadReport {
        let mut report = self.report;
        let works_out_minors =
            self.limits.now_unix_s.is_some() && !self.map.flags().contains_key(&Exclusion::Minor);
        self.tally
            .finish(&mut report.warnings, &report.flagged, works_out_minors);
        report.warnings.subjects = report.subjects;
        report.warnings.no_rows = report.rows_in == 0;
        let source = self.csv.into_inner();
        report.bytes_in = source.bytes_read();
        report.sha256 = source.sha256_hex();
        report
    }
}

impl<R: Read> Iterator for Load<'_, R> {
    type Item = Result<Subject, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_subject().transpose()
    }
}

/// Whether any date of birth of the subject leaves open that they are under age. Of a default date only the year is
/// known, so it counts as the last day of that year.
fn is_minor(subject: &Subject, now_unix_s: u64) -> bool {
    let today = Date::from_unix_s(now_unix_s);
    let born = subject
        .tuples_of(Group::Identity)
        .iter()
        .filter_map(|identity| identity.get(&Field::Dob))
        .flatten();
    born.filter_map(|dob| Date::from_iso(dob)).any(|born| {
        let latest = if born.is_first_of_january() {
            Date {
                month: 12,
                day: 31,
                ..born
            }
        } else {
            born
        };
        let of_age = Date {
            year: latest.year + ADULT_FROM_YEARS,
            ..latest
        };
        of_age > today
    })
}

/// Sixteen bytes a reference instead of the text: a chance equality among 100 million is below 2^-75.
fn reference_digest(reference: &str) -> [u8; 16] {
    let digest = Sha256::digest(reference.as_bytes());
    digest[..16]
        .try_into()
        .expect("a SHA-256 digest has 32 bytes")
}
