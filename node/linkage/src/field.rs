//! The vocabulary of fields that a map file may fill and a match key may use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! fields {
    ($($variant:ident = $code:literal, $name:literal, $doc:literal;)+) => {
        /// A field of a subject, named as in map files and agreements.
        ///
        /// The order of the variants is the order of their [`code`](Field::code)s, which are stored:
        /// new fields are appended, and a code is never given twice.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        #[repr(u8)]
        pub enum Field {
            $(#[doc = $doc] $variant = $code,)+
        }

        impl Field {
            /// Every field, in the order of the codes.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in map files and agreements.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

fields! {
    Ref = 0, "ref", "The agency's own reference of the subject; never part of a match key.";
    GivenNames = 1, "given_names", "Given names.";
    FamilyNames = 2, "family_names", "Family names.";
    FullName = 3, "full_name", "A name that the agency does not split.";
    ParentName = 4, "parent_name", "A parent's name, as Serbian records carry it.";
    Aliases = 5, "aliases", "Other names.";
    Dob = 6, "dob", "Date of birth, `YYYY-MM-DD` once loaded.";
    Sex = 7, "sex", "Sex.";
    Nationality = 8, "nationality", "Nationality.";
    PlaceOfBirth = 9, "place_of_birth", "Place of birth.";
    HouseNumber = 10, "house_number", "House number.";
    Street = 11, "street", "Street.";
    Locality = 12, "locality", "Town or suburb.";
    Postcode = 13, "postcode", "Postcode.";
    Region = 14, "region", "State, county or province of an address.";
    NationalId = 15, "national_id", "National identity number.";
    NationalIdType = 16, "national_id_type", "Type of the national identity number.";
    DocumentNumber = 17, "document_number", "Number of a travel or identity document.";
    DocumentState = 18, "document_state", "State that issued the document.";
    DocumentType = 19, "document_type", "Type of the document.";
    Phone = 20, "phone", "Telephone number.";
    Iban = 21, "iban", "Bank account number.";
    Plate = 22, "plate", "Vehicle registration.";
    Category = 23, "category", "Subject category under the agreement's scope.";
    CaseRef = 24, "case_ref", "Reference of the case that the subject belongs to.";
}

impl Field {
    /// The stored code; stable across versions.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The field with this stored code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// Fields that describe one thing together: a subject has any number of each thing, and a match key never combines a
/// field of one with a field of another of the same group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Group {
    /// Who somebody is or was known as: names, birth, sex, nationality.
    Identity = 0,
    /// Where they live.
    Address = 1,
    /// A travel or identity document.
    Document = 2,
    /// A national identity number.
    NationalId = 3,
    /// What stands alone: telephones, accounts, plates, category, case.
    Other = 4,
}

impl Group {
    /// Every group, in the order of the codes.
    pub const ALL: &[Self] = &[
        Self::Identity,
        Self::Address,
        Self::Document,
        Self::NationalId,
        Self::Other,
    ];

    /// The stored code; stable across versions.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The group with this stored code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

impl Field {
    /// The group it belongs to.
    pub const fn group(self) -> Group {
        match self {
            Self::GivenNames
            | Self::FamilyNames
            | Self::FullName
            | Self::ParentName
            | Self::Aliases
            | Self::Dob
            | Self::Sex
            | Self::Nationality
            | Self::PlaceOfBirth => Group::Identity,
            Self::HouseNumber | Self::Street | Self::Locality | Self::Postcode | Self::Region => {
                Group::Address
            }
            Self::DocumentNumber | Self::DocumentState | Self::DocumentType => Group::Document,
            Self::NationalId | Self::NationalIdType => Group::NationalId,
            Self::Ref | Self::Phone | Self::Iban | Self::Plate | Self::Category | Self::CaseRef => {
                Group::Other
            }
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<Field> for &'static str {
    fn from(field: Field) -> Self {
        field.name()
    }
}

impl FromStr for Field {
    type Err = UnknownField;

    fn from_str(name: &str) -> Result<Self, UnknownField> {
        Self::ALL
            .iter()
            .copied()
            .find(|field| field.name() == name)
            .ok_or_else(|| UnknownField {
                name: name.to_owned(),
                near: near_fields(name),
            })
    }
}

impl TryFrom<String> for Field {
    type Error = UnknownField;

    fn try_from(name: String) -> Result<Self, UnknownField> {
        name.parse()
    }
}

/// A name that is no field, with the fields that were probably meant (possibly none).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown field `{name}`{}", suggestion(near))]
pub struct UnknownField {
    /// The name as written.
    pub name: String,
    /// Fields with a similar name or meaning, the likeliest first.
    pub near: Vec<Field>,
}

fn suggestion(near: &[Field]) -> String {
    if near.is_empty() {
        let all: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
        return format!("; the fields are {}", all.join(" "));
    }
    let names: Vec<String> = near.iter().map(|field| format!("`{field}`")).collect();
    format!("; did you mean {}?", names.join(" or "))
}

/// Names that other systems use; only for suggestions, never accepted.
const OTHER_NAMES: &[(&str, Field)] = &[
    ("surname", Field::FamilyNames),
    ("lastname", Field::FamilyNames),
    ("firstname", Field::GivenNames),
    ("forename", Field::GivenNames),
    ("forenames", Field::GivenNames),
    ("dateofbirth", Field::Dob),
    ("birthdate", Field::Dob),
    ("gender", Field::Sex),
    ("citizenship", Field::Nationality),
    ("jmbg", Field::NationalId),
    ("passport", Field::DocumentNumber),
    ("passportnumber", Field::DocumentNumber),
    ("id", Field::Ref),
    ("reference", Field::Ref),
    ("recordid", Field::Ref),
    ("city", Field::Locality),
    ("town", Field::Locality),
    ("zip", Field::Postcode),
    ("mobile", Field::Phone),
];

/// Slips of the finger rarely exceed two letters; more would suggest unrelated fields.
const EDITS_MAX: usize = 2;

/// A longer list would not be read.
const SUGGESTIONS_MAX: usize = 3;

fn near_fields(name: &str) -> Vec<Field> {
    let plain = plain_name(name);
    let mut scored: Vec<(usize, Field)> = Vec::new();
    for (other, field) in OTHER_NAMES {
        if plain == *other {
            scored.push((0, *field));
        }
    }
    for field in Field::ALL {
        let candidate = plain_name(field.name());
        let edits = edit_distance(&plain, &candidate);
        let contained =
            plain.len() >= 4 && (candidate.contains(&plain) || plain.contains(&candidate));
        if edits <= EDITS_MAX && edits < candidate.len() {
            scored.push((edits, *field));
        } else if contained {
            scored.push((EDITS_MAX + 1, *field));
        }
    }
    scored.sort_unstable();
    scored.dedup_by_key(|(_, field)| *field);
    scored
        .into_iter()
        .map(|(_, field)| field)
        .take(SUGGESTIONS_MAX)
        .collect()
}

fn plain_name(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

pub(crate) fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_survives_its_name_and_its_code() {
        for (index, field) in Field::ALL.iter().enumerate() {
            assert_eq!(usize::from(field.code()), index);
            assert_eq!(Field::from_code(field.code()), Some(*field));
            assert_eq!(field.name().parse::<Field>().unwrap(), *field);
        }
        assert_eq!(Field::from_code(25), None);
    }

    #[test]
    fn every_group_survives_its_code() {
        for group in Group::ALL {
            assert_eq!(Group::from_code(group.code()), Some(*group));
            assert!(Field::ALL.iter().any(|field| field.group() == *group));
        }
        assert_eq!(Group::from_code(5), None);
    }

    #[test]
    fn an_unknown_name_suggests_what_was_meant() {
        for (written, meant) in [
            ("givn_names", Field::GivenNames),
            ("Surname", Field::FamilyNames),
            ("date_of_birth", Field::Dob),
            ("post_code", Field::Postcode),
            ("document", Field::DocumentType),
            ("DOB", Field::Dob),
        ] {
            let error = written.parse::<Field>().unwrap_err();
            assert!(error.near.contains(&meant), "{written}: {error}");
            assert!(error.to_string().contains(written));
        }
        let error = "zzzzzz".parse::<Field>().unwrap_err();
        assert!(error.near.is_empty() && error.to_string().contains("place_of_birth"));
    }
}
