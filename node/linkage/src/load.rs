//! Loading a CSV table through a map file, row by row, in bounded memory.

mod report;
mod source;

use std::collections::HashSet;
use std::io::{self, Read};

use csv::ByteRecord;
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

pub use self::report::{LoadReport, LoadWarnings, RejectReason, RejectedRows};
use self::source::{RowTooLong, Source};
use crate::date::Date;
use crate::field::Field;
use crate::map_file::MapFile;
use crate::subject::Subject;

/// No field of a person is longer; what is longer is a quote left open or a wrong column.
pub const FIELD_BYTES_MAX: usize = 4 * 1024;
/// Bounds the memory of one row: some hundred columns of text fit, and an open quote cannot swallow the file.
pub const ROW_BYTES_MAX: u64 = 1024 * 1024;
/// The largest register that the design measures; the references seen take 16 bytes a row.
pub const ROWS_MAX: u64 = 100_000_000;
/// Enough lines to find a pattern of faults, few enough to read.
pub const LINES_PER_REASON_MAX: usize = 20;

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
}

impl Default for RowLimits {
    fn default() -> Self {
        Self {
            field_bytes_max: FIELD_BYTES_MAX,
            row_bytes_max: ROW_BYTES_MAX,
            rows_max: ROWS_MAX,
            lines_per_reason_max: LINES_PER_REASON_MAX,
            bad_dates: BadDates::RejectRow,
        }
    }
}

/// Opens a CSV table: comma-separated UTF-8 (a byte order mark is allowed) with a header line.
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
        .from_reader(source);
    let mut header = ByteRecord::new();
    if !csv
        .read_byte_record(&mut header)
        .map_err(|error| fatal(error, 1))?
    {
        return Err(LoadError::Empty);
    }
    csv.get_ref().row_ended();
    let columns = locate_columns(&header, map)?;
    Ok(Load {
        empty_columns: vec![true; columns.len()],
        columns,
        column_count: header.len(),
        csv,
        record: ByteRecord::new(),
        map,
        limits: limits.clone(),
        references: HashSet::new(),
        report: LoadReport::default(),
        ended: false,
    })
}

/// A load in progress: an iterator over the accepted subjects, in the order of the file.
///
/// Memory is one row, the report, and 16 bytes per accepted reference. An `Err` item is a fault of the whole file
/// (reading failed, a row beyond the limits) and the last one.
pub struct Load<'m, R: Read> {
    csv: csv::Reader<Source<R>>,
    record: ByteRecord,
    map: &'m MapFile,
    limits: RowLimits,
    columns: Vec<(usize, Field)>,
    column_count: usize,
    empty_columns: Vec<bool>,
    references: HashSet<[u8; 16]>,
    report: LoadReport,
    ended: bool,
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
                fatal(error, line)
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
            match self.read_row() {
                Ok(subject) => {
                    self.report.accepted += 1;
                    return Ok(Some(subject));
                }
                Err(reason) => self
                    .report
                    .reject(reason, line, self.limits.lines_per_reason_max),
            }
        }
        Ok(None)
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

    fn read_row(&mut self) -> Result<Subject, RejectReason> {
        if self.record.len() != self.column_count {
            return Err(RejectReason::WrongFieldCount);
        }
        let mut subject = Subject::new("");
        let mut dropped_date = false;
        let mut filled = Vec::with_capacity(self.columns.len());
        for (column, (index, field)) in self.columns.iter().enumerate() {
            let bytes = &self.record[*index];
            if bytes.len() > self.limits.field_bytes_max {
                return Err(RejectReason::FieldTooLong);
            }
            let text = std::str::from_utf8(bytes).map_err(|_| RejectReason::NotUtf8)?;
            let value: String = text.trim().nfc().collect();
            if value.is_empty() {
                continue;
            }
            filled.push(column);
            match field {
                Field::Ref => subject.reference = value,
                Field::Dob => match self.map.date_format().read(&value) {
                    Some(date) => subject = subject.with(Field::Dob, date.to_iso()),
                    None if self.limits.bad_dates == BadDates::DropValue => dropped_date = true,
                    None => return Err(RejectReason::BadDate),
                },
                _ => subject = subject.with(*field, value),
            }
        }
        if subject.reference.is_empty() {
            return Err(RejectReason::MissingRef);
        }
        if !self.references.insert(reference_digest(&subject.reference)) {
            return Err(RejectReason::DuplicateRef);
        }
        self.count_warnings(&subject, &filled, dropped_date);
        for (field, value) in self.map.constants() {
            subject = subject.with(*field, value.nfc().collect::<String>());
        }
        Ok(subject)
    }

    fn count_warnings(&mut self, subject: &Subject, filled: &[usize], dropped_date: bool) {
        for column in filled {
            self.empty_columns[*column] = false;
        }
        let warnings = &mut self.report.warnings;
        warnings.bad_dates_dropped += u64::from(dropped_date);
        warnings.rows_with_ref_only += u64::from(subject.values.is_empty());
        for dob in subject.values_of(Field::Dob) {
            warnings.birth_dates += 1;
            warnings.birth_dates_first_of_january +=
                u64::from(Date::from_iso(dob).is_some_and(Date::is_first_of_january));
        }
    }

    fn finished_report(self) -> LoadReport {
        let mut report = self.report;
        if report.accepted > 0 {
            let empty = self
                .columns
                .iter()
                .zip(&self.empty_columns)
                .filter(|(_, empty)| **empty);
            report.warnings.empty_columns = empty.map(|((_, field), _)| *field).collect();
        }
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

/// A fault of the whole file. The texts may quote a header line, never a row.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No byte, or only blank lines.
    #[error("the file is empty")]
    Empty,
    /// The header is not UTF-8.
    #[error("the file is not UTF-8{}; save it as UTF-8", hint.as_ref().map(|hint| format!(" but {hint}")).unwrap_or_default())]
    NotUtf8 {
        /// The encoding found, where it shows.
        hint: Option<&'static str>,
    },
    /// Another delimiter.
    #[error("the columns are separated by {found}; export the file with commas")]
    WrongDelimiter {
        /// The delimiter found, in words.
        found: &'static str,
    },
    /// None of the mapped columns is in the first line.
    ///
    /// It may well be a person, so the text does not quote it.
    #[error(
        "none of the {mapped_count} mapped columns is in the first line, which has {column_count} columns; \
         does the file have a header line, and does this map file belong to it?"
    )]
    NoHeader {
        /// Columns in the map file.
        mapped_count: usize,
        /// Columns in the first line.
        column_count: usize,
    },
    /// Some mapped columns are not in the header.
    #[error("no column {}; the header has {}", list_missing(missing), header.join(", "))]
    MissingColumns {
        /// The fields whose column is missing, with that column's name.
        missing: Vec<(Field, String)>,
        /// The header as seen, trimmed.
        header: Vec<String>,
    },
    /// A mapped column stands twice in the header.
    #[error("the header has column \"{column}\" (`{field}`) more than once")]
    AmbiguousColumn {
        /// The field.
        field: Field,
        /// Its column.
        column: String,
    },
    /// A row beyond the limit, most often a quote left open.
    #[error(
        "the row that starts in line {line} is longer than {row_bytes_max} bytes; is a quote left open there?"
    )]
    RowTooLong {
        /// Line in which it starts, from 1.
        line: u64,
        /// The limit.
        row_bytes_max: u64,
    },
    /// More rows than the limit.
    #[error("the file has more than {rows_max} rows")]
    TooManyRows {
        /// The limit.
        rows_max: u64,
    },
    /// Reading failed.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
}

fn list_missing(missing: &[(Field, String)]) -> String {
    let names: Vec<String> = missing
        .iter()
        .map(|(field, column)| format!("\"{column}\" (`{field}`)"))
        .collect();
    names.join(", ")
}

fn fatal(error: csv::Error, line: u64) -> LoadError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => match error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<RowTooLong>())
        {
            Some(RowTooLong { row_bytes_max }) => LoadError::RowTooLong {
                line,
                row_bytes_max: *row_bytes_max,
            },
            None => LoadError::Io(error),
        },
        _ => unreachable!("a flexible reader of byte records fails only when its source does"),
    }
}

fn locate_columns(header: &ByteRecord, map: &MapFile) -> Result<Vec<(usize, Field)>, LoadError> {
    if header.iter().any(|cell| cell.contains(&0)) {
        return Err(LoadError::NotUtf8 {
            hint: Some("looks like UTF-16"),
        });
    }
    let names: Vec<&str> = header
        .iter()
        .map(|cell| std::str::from_utf8(cell).map(str::trim))
        .collect::<Result<_, _>>()
        .map_err(|_| LoadError::NotUtf8 { hint: None })?;
    let mut located = Vec::new();
    let mut missing = Vec::new();
    for (field, column) in map.columns() {
        let mut places = names.iter().enumerate().filter(|(_, name)| *name == column);
        match (places.next(), places.next()) {
            (Some((index, _)), None) => located.push((index, *field)),
            (Some(_), Some(_)) => {
                return Err(LoadError::AmbiguousColumn {
                    field: *field,
                    column: column.clone(),
                });
            }
            (None, _) => missing.push((*field, column.clone())),
        }
    }
    if missing.is_empty() {
        return Ok(located);
    }
    if let [line] = names[..]
        && let Some(found) = other_delimiter(line)
    {
        return Err(LoadError::WrongDelimiter { found });
    }
    if located.is_empty() {
        return Err(LoadError::NoHeader {
            mapped_count: missing.len(),
            column_count: names.len(),
        });
    }
    Err(LoadError::MissingColumns {
        missing,
        header: names.into_iter().map(str::to_owned).collect(),
    })
}

fn other_delimiter(line: &str) -> Option<&'static str> {
    let count = |delimiter: char| line.matches(delimiter).count();
    [(';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars")]
        .into_iter()
        .map(|(delimiter, words)| (count(delimiter), words))
        .max_by_key(|(count, _)| *count)
        .filter(|(count, _)| *count > 0)
        .map(|(_, words)| words)
}

/// Sixteen bytes a reference instead of the text: a chance equality among 100 million is below 2^-75.
fn reference_digest(reference: &str) -> [u8; 16] {
    let digest = Sha256::digest(reference.as_bytes());
    digest[..16]
        .try_into()
        .expect("a SHA-256 digest has 32 bytes")
}
