//! What can be wrong with a map file.

use crate::exclusion::UnknownExclusion;
use crate::field::{Field, UnknownField};

/// What is wrong with a map file. The texts quote the map file, never the table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapFileError {
    /// Not TOML, a key that map files do not have, or a value of another type.
    #[error("the map file cannot be read: {}", .0.trim_end())]
    Toml(String),
    /// A name that is no field.
    #[error(transparent)]
    UnknownField(#[from] UnknownField),
    /// A word in `[exclude]` that is no exclusion.
    #[error("[exclude]: {0}")]
    UnknownExclusion(#[from] UnknownExclusion),
    /// A field that a further thing cannot have.
    #[error("{place} has no `{name}`; it has {}", known.join(", "))]
    UnknownPart {
        /// The table.
        place: String,
        /// The name as written.
        name: String,
        /// What it may have.
        known: Vec<&'static str>,
    },
    /// No column for `ref`.
    #[error("`[columns]` must say which column is `ref`")]
    NoRef,
    /// A further thing without what makes it one.
    #[error("{place} needs a column for `{needed}`")]
    NoColumn {
        /// The table.
        place: String,
        /// What it needs.
        needed: &'static str,
    },
    /// A field that differs from subject to subject stands in `[constants]`.
    #[error("`{field}` cannot be a constant: it differs from subject to subject")]
    NotConstant {
        /// The field.
        field: Field,
    },
    /// A field in both tables.
    #[error("`{field}` stands in `[columns]` and in `[constants]`")]
    TwiceFilled {
        /// The field.
        field: Field,
    },
    /// An empty column name, constant or separator.
    #[error("{place}: `{name}` is mapped to nothing")]
    Empty {
        /// The table.
        place: String,
        /// The key.
        name: String,
    },
    /// A reference has one column and one value.
    #[error("`ref` must be one column, with one value")]
    SeveralRefs,
    /// A separator for a field that no column fills.
    #[error("[split] names `{field}`, which has no column in [columns]")]
    SplitOfNothing {
        /// The field.
        field: Field,
    },
    /// Two fields with several values each, which would be combined crosswise.
    #[error(
        "`{first}` and `{second}` both have several values; which goes with which? Write each pair as a [[{table}]]"
    )]
    Crosswise {
        /// One.
        first: Field,
        /// The other.
        second: Field,
        /// The table in which pairs are written.
        table: &'static str,
    },
    /// A value that is neither a column nor a constant.
    #[error(
        "{place}: `{name}` must be a column (\"name\"), several ([\"a\", \"b\"]) where one field may have several, or {{ constant = \"value\" }} in a further thing"
    )]
    NotFilling {
        /// The table.
        place: String,
        /// The key.
        name: String,
    },
    /// A date format that cannot give a date.
    #[error("date_format \"{format}\": {reason}")]
    DateFormat {
        /// The format as written.
        format: String,
        /// What is wrong, in words.
        reason: String,
    },
    /// A region that is no two-letter code.
    #[error("region \"{region}\" is not a two-letter country code such as \"RS\"")]
    Region {
        /// The region as written.
        region: String,
    },
    /// A delimiter that is none.
    #[error("delimiter {delimiter:?} is not one of \",\" \";\" \"\\t\" \"|\"")]
    Delimiter {
        /// The delimiter as written.
        delimiter: String,
    },
}
