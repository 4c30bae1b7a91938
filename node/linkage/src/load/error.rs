//! Faults of a whole file.

use std::io;

use super::source::RowTooLong;

/// A longer header would not be read in an error.
const HEADER_NAMES_MAX: usize = 40;

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
    #[error(
        "the columns are separated by {found}; say so in the map file: delimiter = {delimiter:?}"
    )]
    WrongDelimiter {
        /// The delimiter found, in words.
        found: &'static str,
        /// The delimiter found.
        delimiter: char,
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
    #[error(
        "no column {}; the header has {}",
        list_missing(missing),
        list_header(header)
    )]
    MissingColumns {
        /// What is missing.
        missing: Vec<MissingColumn>,
        /// The header as seen, trimmed.
        header: Vec<String>,
    },
    /// A mapped column stands twice in the header.
    #[error("the header has column \"{column}\" (`{mapped_to}`) more than once")]
    AmbiguousColumn {
        /// What it is mapped to.
        mapped_to: String,
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

/// A column that the map file names and the header lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingColumn {
    /// Its name in the map file.
    pub column: String,
    /// The field or exclusion that it is mapped to.
    pub mapped_to: String,
    /// The column of the header that was probably meant.
    pub near: Option<String>,
}

fn list_missing(missing: &[MissingColumn]) -> String {
    let names: Vec<String> = missing
        .iter()
        .map(|missing| {
            let near = missing.near.as_ref();
            let near = near.map(|near| format!(", did you mean \"{near}\"?"));
            let MissingColumn {
                column, mapped_to, ..
            } = missing;
            format!("\"{column}\" (`{mapped_to}`{})", near.unwrap_or_default())
        })
        .collect();
    names.join(", ")
}

fn list_header(header: &[String]) -> String {
    let shown = &header[..header.len().min(HEADER_NAMES_MAX)];
    let more = if shown.len() < header.len() {
        format!(", and {} more", header.len() - shown.len())
    } else {
        String::new()
    };
    shown.join(", ") + &more
}

pub(super) fn fatal(error: csv::Error, line: u64) -> LoadError {
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
