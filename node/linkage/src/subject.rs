//! A subject as loaded from an agency's list.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::exclusion::Exclusion;
use crate::field::Field;

/// Version of both stored forms of a [`Subject`].
pub const SUBJECT_FORM: u8 = 2;

/// A person on a list.
///
/// Values are as given in the file, trimmed and in NFC; a date of birth is `YYYY-MM-DD`. A field without a value
/// has no entry. The reference stands apart and never among the values.
///
/// `Debug` shows which fields are present and no value, so that a subject in a log line discloses nobody.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "SerdeForm", into = "SerdeForm")]
pub struct Subject {
    /// The agency's own reference, unique in its list.
    pub reference: String,
    /// The values of each field, the principal one first.
    pub values: BTreeMap<Field, Vec<String>>,
    /// For what the subject may have to be kept out of a round.
    pub exclusions: BTreeSet<Exclusion>,
}

impl Subject {
    /// A subject without values.
    pub fn new(reference: impl Into<String>) -> Self {
        Self {
            reference: reference.into(),
            values: BTreeMap::new(),
            exclusions: BTreeSet::new(),
        }
    }

    /// The same subject with one more value of a field.
    #[must_use]
    pub fn with(mut self, field: Field, value: impl Into<String>) -> Self {
        self.values.entry(field).or_default().push(value.into());
        self
    }

    /// The same subject under an exclusion.
    #[must_use]
    pub fn excluded_as(mut self, exclusion: Exclusion) -> Self {
        self.exclusions.insert(exclusion);
        self
    }

    /// The values of a field; empty if there are none.
    pub fn values_of(&self, field: Field) -> &[String] {
        self.values.get(&field).map_or(&[], Vec::as_slice)
    }

    /// The compact stored form: one subject has exactly one.
    ///
    /// ```text
    /// version u8 = 2 ‖ string(reference) ‖ exclusions u8, one bit each ‖ field count u8 ‖ per field, codes ascending:
    ///     code u8 ‖ value count u16-le ‖ string(value)…
    /// string(s) = length in bytes u32-le ‖ UTF-8
    /// ```
    ///
    /// # Panics
    /// If one field has more than 65,535 values; a loaded subject cannot.
    pub fn to_bytes(&self) -> Vec<u8> {
        let present = || self.values.iter().filter(|(_, values)| !values.is_empty());
        let mut bytes = vec![SUBJECT_FORM];
        put_string(&mut bytes, &self.reference);
        bytes.push(
            self.exclusions
                .iter()
                .fold(0, |bits, exclusion| bits | exclusion.bit()),
        );
        bytes.push(present().count() as u8);
        for (field, values) in present() {
            bytes.push(field.code());
            let count = u16::try_from(values.len()).expect("at most 65,535 values in one field");
            bytes.extend_from_slice(&count.to_le_bytes());
            for value in values {
                put_string(&mut bytes, value);
            }
        }
        bytes
    }

    /// Reads [`to_bytes`](Self::to_bytes), and nothing else: other encodings of the same subject are refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SubjectFormError> {
        let mut rest = bytes;
        let version = take(&mut rest, 1)?[0];
        if version != SUBJECT_FORM {
            return Err(SubjectFormError::Version { found: version });
        }
        let mut subject = Self::new(take_string(&mut rest)?);
        subject.exclusions = exclusions_of(take(&mut rest, 1)?[0])?;
        let field_count = take(&mut rest, 1)?[0];
        let mut previous: Option<Field> = None;
        for _ in 0..field_count {
            let code = take(&mut rest, 1)?[0];
            let field = Field::from_code(code).ok_or(SubjectFormError::FieldCode { code })?;
            if previous.is_some_and(|previous| previous >= field) {
                return Err(SubjectFormError::NotCanonical);
            }
            previous = Some(field);
            let count = take(&mut rest, 2)?;
            let count = u16::from_le_bytes([count[0], count[1]]);
            if count == 0 {
                return Err(SubjectFormError::NotCanonical);
            }
            let mut values = Vec::new();
            for _ in 0..count {
                values.push(take_string(&mut rest)?);
            }
            subject.values.insert(field, values);
        }
        if rest.is_empty() {
            Ok(subject)
        } else {
            Err(SubjectFormError::NotCanonical)
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let present: Vec<&str> = self.values.keys().map(|field| field.name()).collect();
        f.debug_struct("Subject")
            .field("fields", &present)
            .finish_non_exhaustive()
    }
}

/// Why stored bytes are no subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectFormError {
    /// Written by another version.
    #[error("subject form {found} is not known (this version reads {SUBJECT_FORM})")]
    Version {
        /// The version byte found.
        found: u8,
    },
    /// A field that this version does not know.
    #[error("field code {code} is not known")]
    FieldCode {
        /// The code found.
        code: u8,
    },
    /// An exclusion that this version does not know.
    #[error("exclusion bits {bits:#010b} are not known")]
    ExclusionBits {
        /// All bits found.
        bits: u8,
    },
    /// The bytes end inside a value.
    #[error("the stored subject is cut short")]
    Truncated,
    /// A string is not UTF-8.
    #[error("a stored value is not UTF-8")]
    NotUtf8,
    /// Fields out of order, empty fields or bytes left over.
    #[error("the stored subject is not in canonical form")]
    NotCanonical,
}

fn exclusions_of(bits: u8) -> Result<BTreeSet<Exclusion>, SubjectFormError> {
    let set: BTreeSet<Exclusion> = Exclusion::ALL
        .iter()
        .copied()
        .filter(|exclusion| bits & exclusion.bit() != 0)
        .collect();
    if bits.count_ones() as usize == set.len() {
        Ok(set)
    } else {
        Err(SubjectFormError::ExclusionBits { bits })
    }
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).expect("a value is far below 4 GiB");
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], SubjectFormError> {
    let (head, tail) = rest
        .split_at_checked(count)
        .ok_or(SubjectFormError::Truncated)?;
    *rest = tail;
    Ok(head)
}

fn take_string(rest: &mut &[u8]) -> Result<String, SubjectFormError> {
    let length = take(rest, 4)?;
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
    let bytes = take(rest, length as usize)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| SubjectFormError::NotUtf8)
}

/// What serde sees: the version beside the data, so that an archived subject stays readable.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SerdeForm {
    v: u8,
    #[serde(rename = "ref")]
    reference: String,
    exclusions: BTreeSet<Exclusion>,
    values: BTreeMap<Field, Vec<String>>,
}

impl From<Subject> for SerdeForm {
    fn from(subject: Subject) -> Self {
        Self {
            v: SUBJECT_FORM,
            reference: subject.reference,
            exclusions: subject.exclusions,
            values: subject.values,
        }
    }
}

impl TryFrom<SerdeForm> for Subject {
    type Error = SubjectFormError;

    fn try_from(form: SerdeForm) -> Result<Self, SubjectFormError> {
        if form.v == SUBJECT_FORM {
            Ok(Self {
                reference: form.reference,
                exclusions: form.exclusions,
                values: form.values,
            })
        } else {
            Err(SubjectFormError::Version { found: form.v })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Subject {
        Subject::new("UK-1")
            .with(Field::FamilyNames, "Đorđević")
            .with(Field::FamilyNames, "Marić")
            .with(Field::Dob, "1987-03-14")
            .excluded_as(Exclusion::AsylumClaim)
            .excluded_as(Exclusion::ContestedRecord)
    }

    #[test]
    fn both_stored_forms_return_the_same_subject() {
        let subject = sample();
        assert_eq!(Subject::from_bytes(&subject.to_bytes()).unwrap(), subject);
        let json = serde_json::to_string(&subject).unwrap();
        assert!(json.starts_with(r#"{"v":2,"ref":"UK-1","#), "{json}");
        assert_eq!(serde_json::from_str::<Subject>(&json).unwrap(), subject);
    }

    #[test]
    fn every_cut_and_every_addition_is_refused() {
        let bytes = sample().to_bytes();
        for length in 0..bytes.len() {
            assert!(
                Subject::from_bytes(&bytes[..length]).is_err(),
                "cut at {length}"
            );
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(
            Subject::from_bytes(&longer),
            Err(SubjectFormError::NotCanonical)
        );
        let mut other = bytes;
        other[0] = 9;
        assert_eq!(
            Subject::from_bytes(&other),
            Err(SubjectFormError::Version { found: 9 })
        );
    }

    #[test]
    fn an_exclusion_of_a_later_version_is_refused_and_not_forgotten() {
        let mut bytes = sample().to_bytes();
        let at = 1 + 4 + "UK-1".len();
        assert_eq!(bytes[at], 0b1001);
        bytes[at] |= 0b1_0000;
        assert_eq!(
            Subject::from_bytes(&bytes),
            Err(SubjectFormError::ExclusionBits { bits: 0b1_1001 })
        );
    }

    #[test]
    fn debug_discloses_no_value() {
        let text = format!("{:?}", sample());
        assert!(text.contains("family_names"));
        assert!(
            !text.contains("Đorđević") && !text.contains("UK-1") && !text.contains("1987"),
            "{text}"
        );
    }
}
