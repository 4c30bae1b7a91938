//! The map file: which column of an agency's table is which field.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::date::DateFormat;
use crate::field::{Field, UnknownField};

/// The date format of a map file that names none.
const DATE_FORMAT_DEFAULT: &str = "%Y-%m-%d";

/// A parsed map file.
///
/// ```toml
/// date_format = "%Y%m%d"   # default "%Y-%m-%d"; %Y %m %b %d and literal characters
/// region = "AU"            # two letters; the country whose forms apply to phones and documents
/// synthetic = true         # the people are invented: test data, marked as such wherever the dataset is shown
/// [columns]                # field = "column"; column names are trimmed on both sides
/// ref = "rec_id"           # required
/// dob = "date_of_birth"
/// [constants]              # field = "value of every row"
/// national_id_type = "opaque"
/// ```
///
/// Unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapFile {
    columns: BTreeMap<Field, String>,
    constants: BTreeMap<Field, String>,
    date_format: DateFormat,
    region: Option<String>,
    synthetic: bool,
}

impl MapFile {
    /// Parses and checks the text of a map file.
    pub fn parse(text: &str) -> Result<Self, MapFileError> {
        let form: MapForm =
            toml::from_str(text).map_err(|error| MapFileError::Toml(error.to_string()))?;
        let columns = by_field(form.columns)?;
        let constants = by_field(form.constants)?;
        if !columns.contains_key(&Field::Ref) {
            return Err(MapFileError::NoRef);
        }
        for field in [Field::Ref, Field::Dob] {
            if constants.contains_key(&field) {
                return Err(MapFileError::NotConstant { field });
            }
        }
        if let Some(field) = constants.keys().find(|field| columns.contains_key(field)) {
            return Err(MapFileError::TwiceFilled { field: *field });
        }
        if let Some((field, _)) = columns
            .iter()
            .chain(&constants)
            .find(|(_, text)| text.is_empty())
        {
            return Err(MapFileError::Empty { field: *field });
        }
        let date_format = form.date_format.as_deref().unwrap_or(DATE_FORMAT_DEFAULT);
        let date_format =
            DateFormat::parse(date_format).map_err(|reason| MapFileError::DateFormat {
                format: date_format.to_owned(),
                reason,
            })?;
        if let Some(region) = &form.region
            && !(region.len() == 2 && region.bytes().all(|byte| byte.is_ascii_uppercase()))
        {
            return Err(MapFileError::Region {
                region: region.clone(),
            });
        }
        Ok(Self {
            columns,
            constants,
            date_format,
            region: form.region,
            synthetic: form.synthetic,
        })
    }

    /// The mapped columns, names trimmed.
    pub fn columns(&self) -> &BTreeMap<Field, String> {
        &self.columns
    }

    /// The values that every row gets.
    pub fn constants(&self) -> &BTreeMap<Field, String> {
        &self.constants
    }

    /// ISO 3166 two-letter code of the country whose forms apply.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Whether the table is test data: invented people.
    pub fn synthetic(&self) -> bool {
        self.synthetic
    }

    pub(crate) fn date_format(&self) -> &DateFormat {
        &self.date_format
    }
}

/// What is wrong with a map file. The texts quote the map file, never the table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapFileError {
    /// Not TOML, a key that map files do not have, or a value of another type.
    #[error("the map file cannot be read: {}", .0.trim_end())]
    Toml(String),
    /// A name in `[columns]` or `[constants]` that is no field.
    #[error(transparent)]
    UnknownField(#[from] UnknownField),
    /// No column for `ref`.
    #[error("`[columns]` must say which column is `ref`")]
    NoRef,
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
    /// An empty column name or constant.
    #[error("`{field}` is mapped to nothing")]
    Empty {
        /// The field.
        field: Field,
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapForm {
    columns: BTreeMap<String, String>,
    date_format: Option<String>,
    region: Option<String>,
    #[serde(default)]
    synthetic: bool,
    #[serde(default)]
    constants: BTreeMap<String, String>,
}

fn by_field(named: BTreeMap<String, String>) -> Result<BTreeMap<Field, String>, UnknownField> {
    named
        .into_iter()
        .map(|(name, text)| Ok((name.parse()?, text.trim().to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_of_a_map_file_is_named() {
        for (text, expected) in [
            (
                "[columns]\nref = \"id\"\nsurname = \"x\"",
                "unknown field `surname`; did you mean `family_names`?",
            ),
            (
                "[columns]\ndob = \"born\"",
                "must say which column is `ref`",
            ),
            (
                "[columns]\nref = \"id\"\n[constants]\ndob = \"1990-01-01\"",
                "`dob` cannot be a constant",
            ),
            (
                "[columns]\nref = \"id\"\nsex = \"s\"\n[constants]\nsex = \"F\"",
                "`sex` stands in",
            ),
            ("[columns]\nref = \"  \"", "`ref` is mapped to nothing"),
            (
                "date_format = \"%d/%m/%y\"\n[columns]\nref = \"id\"",
                "century",
            ),
            ("region = \"Serbia\"\n[columns]\nref = \"id\"", "two-letter"),
            ("delimiter = \";\"\n[columns]\nref = \"id\"", "delimiter"),
            ("region = \"RS\"", "columns"),
            ("[columns]\nref = 3", "invalid type"),
            ("[columns\nref = 3", "cannot be read"),
        ] {
            let error = MapFile::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
