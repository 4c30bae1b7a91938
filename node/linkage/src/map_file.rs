//! The map file: which column of an agency's table is which field.

mod error;
mod form;

use std::collections::BTreeMap;

pub use self::error::MapFileError;
use self::form::MapForm;
use crate::date::DateFormat;
use crate::exclusion::Exclusion;
use crate::field::{Field, Group};

/// Values that say yes in a column of `[exclude]`, in whatever case.
pub const FLAG_YES: &[&str] = &["yes", "y", "true", "1", "x", "da", "да"];
/// Values that say no there, beside nothing at all.
pub const FLAG_NO: &[&str] = &["no", "n", "false", "0", "ne", "не"];
/// Delimiters that a map file may name.
pub const DELIMITERS: &[char] = &[',', ';', '\t', '|'];

/// A parsed map file.
///
/// ```toml
/// date_format = "%Y%m%d"         # default "%Y-%m-%d"; %Y %m %b %d and literal characters
/// region = "AU"                  # two letters; the country whose forms apply to phones and documents
/// delimiter = ";"                # default ","; also "\t" and "|"
/// synthetic = true               # the people are invented: test data, marked as such wherever the dataset is shown
/// repeated_ref = "same_subject"  # rows that follow one another under one reference are one person; default "reject"
///
/// [columns]                      # field = "column", or several; names are trimmed on both sides
/// ref = "rec_id"                 # required
/// dob = "date_of_birth"
/// phone = ["mobile", "landline"]
/// aliases = "also_known_as"
///
/// [split]                        # field = what separates several values in a cell
/// aliases = ";"
///
/// [constants]                    # field = "value of every row"
/// category = "suspect"
///
/// [exclude]                      # who must never be asked about: predicate = "column"
/// asylum_claim = "asylum"
///
/// [[document]]                   # each document beside that of [columns]: number, state, type
/// number = "passports"           # a column
/// state = { constant = "SRB" }   # or the same in every row
/// split = ";"                    # the cells hold lists: first goes with first, second with second
/// ```
///
/// `[[national_id]]` (number, type), `[[identity]]` and `[[address]]` (by field) are written likewise. Unknown keys are
/// errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapFile {
    reference: String,
    things: Vec<Thing>,
    flags: BTreeMap<Exclusion, String>,
    date_format: DateFormat,
    region: Option<String>,
    delimiter: u8,
    synthetic: bool,
    repeated_ref: RepeatedRef,
}

/// What rows under one reference are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatedRef {
    /// A mistake: the first is a subject, further ones are refused.
    #[default]
    Reject,
    /// One person, in as many identities, documents and addresses as the rows say, if they follow one another.
    SameSubject,
}

/// What fills one tuple of a group: the fields of `[columns]` in that group, or one `[[document]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thing {
    pub(crate) group: Group,
    /// Whether it is of `[columns]`; the others are further ones.
    pub(crate) is_principal: bool,
    pub(crate) fields: BTreeMap<Field, Filling>,
    /// What separates lists that go together, place by place.
    pub(crate) list_split: Option<String>,
}

/// Where the values of a field come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    Columns {
        columns: Vec<String>,
        split: Option<String>,
    },
    Constant(String),
}

impl Filling {
    pub(crate) fn columns(&self) -> &[String] {
        match self {
            Self::Columns { columns, .. } => columns,
            Self::Constant(_) => &[],
        }
    }

    fn is_multiple(&self) -> bool {
        matches!(self, Self::Columns { columns, split } if columns.len() > 1 || split.is_some())
    }
}

impl MapFile {
    /// Parses and checks the text of a map file.
    pub fn parse(text: &str) -> Result<Self, MapFileError> {
        let form: MapForm =
            toml::from_str(text).map_err(|error| MapFileError::Toml(error.to_string()))?;
        form.check()
    }

    /// The mapped columns, each once, with what it is mapped to; names trimmed.
    pub fn columns(&self) -> Vec<(&str, String)> {
        let mut columns = vec![(self.reference.as_str(), Field::Ref.to_string())];
        for thing in &self.things {
            for (field, filling) in &thing.fields {
                for column in filling.columns() {
                    columns.push((column, field.to_string()));
                }
            }
        }
        for (exclusion, column) in &self.flags {
            columns.push((column, exclusion.to_string()));
        }
        let mut seen = std::collections::BTreeSet::new();
        columns.retain(|(column, _)| seen.insert(*column));
        columns
    }

    /// The fields that rows can fill, constants among them.
    pub fn fields(&self) -> std::collections::BTreeSet<Field> {
        let fields = self.things.iter().flat_map(|thing| thing.fields.keys());
        fields.copied().chain([Field::Ref]).collect()
    }

    /// ISO 3166 two-letter code of the country whose forms apply.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Whether the table is test data: invented people.
    pub fn synthetic(&self) -> bool {
        self.synthetic
    }

    /// What separates the columns: one ASCII character.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// What rows under one reference are.
    pub fn repeated_ref(&self) -> RepeatedRef {
        self.repeated_ref
    }

    pub(crate) fn reference(&self) -> &str {
        &self.reference
    }

    pub(crate) fn things(&self) -> &[Thing] {
        &self.things
    }

    pub(crate) fn flags(&self) -> &BTreeMap<Exclusion, String> {
        &self.flags
    }

    pub(crate) fn date_format(&self) -> &DateFormat {
        &self.date_format
    }
}

/// Reads a cell of `[exclude]`; `None` for what is neither yes nor no.
pub(crate) fn flag(cell: &str) -> Option<bool> {
    let word = cell.to_lowercase();
    if FLAG_YES.contains(&word.as_str()) {
        Some(true)
    } else if word.is_empty() || FLAG_NO.contains(&word.as_str()) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
