//! A subject as loaded from an agency's list.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::exclusion::Exclusion;
use crate::field::{Field, Group};

/// Version of both stored forms of a [`Subject`].
pub const SUBJECT_FORM: u8 = 2;

/// The values of one thing that a subject has, by field: one identity, one document, one address. All of them belong
/// together; a field may still have several values (two nationalities of one identity), each of which goes with each
/// value of the others.
pub type Tuple = BTreeMap<Field, Vec<String>>;

/// A person on a list: any number of identities, addresses, documents and national numbers, and what stands alone.
///
/// Values are as given in the file, trimmed and in NFC; a date of birth is `YYYY-MM-DD`. A field without a value
/// has no entry, and a thing without a field does not exist. The reference stands apart and never among the values.
///
/// `Debug` shows which fields are present and no value, so that a subject in a log line discloses nobody.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "SerdeForm", into = "SerdeForm")]
pub struct Subject {
    /// The agency's own reference, unique in its list.
    pub reference: String,
    /// For what the subject may have to be kept out of a round.
    pub exclusions: BTreeSet<Exclusion>,
    /// No list, tuple or field in it is empty, and every field stands in its own group.
    tuples: BTreeMap<Group, Vec<Tuple>>,
}

impl Subject {
    /// A subject without values.
    pub fn new(reference: impl Into<String>) -> Self {
        Self {
            reference: reference.into(),
            exclusions: BTreeSet::new(),
            tuples: BTreeMap::new(),
        }
    }

    /// The same subject with one more value of a field of its first identity, address, document or national number.
    #[must_use]
    pub fn with(mut self, field: Field, value: impl Into<String>) -> Self {
        let tuples = self.tuples.entry(field.group()).or_default();
        if tuples.is_empty() {
            tuples.push(Tuple::new());
        }
        tuples[0].entry(field).or_default().push(value.into());
        self
    }

    /// The same subject with one more identity, address, document or national number: these values go together and with
    /// no other of their group. Each group that the fields belong to gets a tuple of its own.
    #[must_use]
    pub fn with_tuple<V: Into<String>>(
        mut self,
        values: impl IntoIterator<Item = (Field, V)>,
    ) -> Self {
        let mut by_group: BTreeMap<Group, Tuple> = BTreeMap::new();
        for (field, value) in values {
            let tuple = by_group.entry(field.group()).or_default();
            tuple.entry(field).or_default().push(value.into());
        }
        for (group, tuple) in by_group {
            self.tuples.entry(group).or_default().push(tuple);
        }
        self
    }

    /// The same subject under an exclusion.
    #[must_use]
    pub fn excluded_as(mut self, exclusion: Exclusion) -> Self {
        self.exclusions.insert(exclusion);
        self
    }

    /// The distinct values of a field over all identities, documents and so on, the principal one first; empty if
    /// there are none.
    pub fn values_of(&self, field: Field) -> Vec<String> {
        let mut distinct: Vec<String> = Vec::new();
        let tuples = self.tuples_of(field.group()).iter();
        for value in tuples.filter_map(|tuple| tuple.get(&field)).flatten() {
            if !distinct.contains(value) {
                distinct.push(value.clone());
            }
        }
        distinct
    }

    /// The fields that have values, in the order of their codes.
    pub fn fields(&self) -> BTreeSet<Field> {
        let tuples = self.tuples.values().flatten();
        tuples.flat_map(|tuple| tuple.keys().copied()).collect()
    }

    /// The identities, addresses, documents or national numbers, the principal one first.
    pub fn tuples_of(&self, group: Group) -> &[Tuple] {
        self.tuples.get(&group).map_or(&[], Vec::as_slice)
    }

    /// Adds a tuple that is not there yet. What stands alone is joined with what is there, value by value.
    pub(crate) fn push_tuple(&mut self, group: Group, tuple: Tuple) {
        if tuple.is_empty() {
            return;
        }
        let tuples = self.tuples.entry(group).or_default();
        if group == Group::Other && !tuples.is_empty() {
            for (field, values) in tuple {
                let present = tuples[0].entry(field).or_default();
                for value in values {
                    if !present.contains(&value) {
                        present.push(value);
                    }
                }
            }
        } else if !tuples.contains(&tuple) {
            tuples.push(tuple);
        }
    }

    /// Takes over what another row says about the same person.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.exclusions.extend(other.exclusions);
        for (group, tuples) in other.tuples {
            for tuple in tuples {
                self.push_tuple(group, tuple);
            }
        }
    }

    /// The compact stored form: one subject has exactly one.
    ///
    /// ```text
    /// version u8 = 2 ‖ string(reference) ‖ exclusions u8, one bit each ‖ tuple count u16-le ‖ per tuple, groups ascending:
    ///     group u8 ‖ field count u8 ‖ per field, codes ascending: code u8 ‖ value count u16-le ‖ string(value)…
    /// string(s) = length in bytes u32-le ‖ UTF-8
    /// ```
    ///
    /// # Panics
    /// If there are more than 65,535 tuples, or values of one field; a loaded subject cannot have so many.
    pub fn to_bytes(&self) -> Vec<u8> {
        let count_of = |count: usize| {
            let count =
                u16::try_from(count).expect("at most 65,535 tuples, and values in one field");
            count.to_le_bytes()
        };
        let mut bytes = vec![SUBJECT_FORM];
        put_string(&mut bytes, &self.reference);
        let bits = self.exclusions.iter();
        bytes.push(bits.fold(0, |bits, exclusion| bits | exclusion.bit()));
        bytes.extend_from_slice(&count_of(self.tuples.values().map(Vec::len).sum()));
        for (group, tuples) in &self.tuples {
            for tuple in tuples {
                bytes.push(group.code());
                bytes.push(tuple.len() as u8);
                for (field, values) in tuple {
                    bytes.push(field.code());
                    bytes.extend_from_slice(&count_of(values.len()));
                    for value in values {
                        put_string(&mut bytes, value);
                    }
                }
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
        let mut previous: Option<Group> = None;
        for _ in 0..take_count(&mut rest)? {
            let code = take(&mut rest, 1)?[0];
            let group = Group::from_code(code).ok_or(SubjectFormError::GroupCode { code })?;
            if previous.is_some_and(|previous| previous > group) {
                return Err(SubjectFormError::NotCanonical);
            }
            previous = Some(group);
            let tuple = take_tuple(&mut rest)?;
            subject.tuples.entry(group).or_default().push(tuple);
        }
        if rest.is_empty() && is_canonical(&subject.tuples) {
            Ok(subject)
        } else {
            Err(SubjectFormError::NotCanonical)
        }
    }
}

/// Nothing in it is empty, and every field stands in its group.
fn is_canonical(tuples: &BTreeMap<Group, Vec<Tuple>>) -> bool {
    tuples.iter().all(|(group, tuples)| {
        !tuples.is_empty()
            && tuples.iter().all(|tuple| {
                !tuple.is_empty()
                    && tuple
                        .iter()
                        .all(|(field, values)| field.group() == *group && !values.is_empty())
            })
    })
}

fn take_tuple(rest: &mut &[u8]) -> Result<Tuple, SubjectFormError> {
    let mut tuple = Tuple::new();
    for _ in 0..take(rest, 1)?[0] {
        let code = take(rest, 1)?[0];
        let field = Field::from_code(code).ok_or(SubjectFormError::FieldCode { code })?;
        if tuple
            .last_key_value()
            .is_some_and(|(previous, _)| *previous >= field)
        {
            return Err(SubjectFormError::NotCanonical);
        }
        let values: Result<Vec<String>, _> =
            (0..take_count(rest)?).map(|_| take_string(rest)).collect();
        tuple.insert(field, values?);
    }
    Ok(tuple)
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.fields();
        let present: Vec<&str> = fields.iter().map(|field| field.name()).collect();
        f.debug_struct("Subject")
            .field("exclusions", &self.exclusions)
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
    /// A group that this version does not know.
    #[error("group code {code} is not known")]
    GroupCode {
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
    /// Out of order, in the wrong group, empty, or bytes left over.
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

fn take_count(rest: &mut &[u8]) -> Result<u16, SubjectFormError> {
    let count = take(rest, 2)?;
    Ok(u16::from_le_bytes([count[0], count[1]]))
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
    tuples: BTreeMap<Group, Vec<Tuple>>,
}

impl From<Subject> for SerdeForm {
    fn from(subject: Subject) -> Self {
        Self {
            v: SUBJECT_FORM,
            reference: subject.reference,
            exclusions: subject.exclusions,
            tuples: subject.tuples,
        }
    }
}

impl TryFrom<SerdeForm> for Subject {
    type Error = SubjectFormError;

    fn try_from(form: SerdeForm) -> Result<Self, SubjectFormError> {
        if form.v != SUBJECT_FORM {
            return Err(SubjectFormError::Version { found: form.v });
        }
        if !is_canonical(&form.tuples) {
            return Err(SubjectFormError::NotCanonical);
        }
        Ok(Self {
            reference: form.reference,
            exclusions: form.exclusions,
            tuples: form.tuples,
        })
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
            .with_tuple([
                (Field::DocumentState, "SRB"),
                (Field::DocumentNumber, "012345678"),
            ])
            .with_tuple([(Field::DocumentNumber, "987654321")])
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
    fn a_second_document_is_another_document() {
        let joined = Subject::new("UK-1")
            .with(Field::DocumentNumber, "012345678")
            .with(Field::DocumentNumber, "987654321");
        let apart = Subject::new("UK-1")
            .with(Field::DocumentNumber, "012345678")
            .with_tuple([(Field::DocumentNumber, "987654321")]);
        assert_eq!(
            joined.values_of(Field::DocumentNumber),
            apart.values_of(Field::DocumentNumber)
        );
        assert_ne!(joined.to_bytes(), apart.to_bytes());
        assert_eq!(apart.tuples_of(Group::Document).len(), 2);
    }

    #[test]
    fn a_field_in_a_group_that_is_not_its_own_is_refused() {
        let json = serde_json::to_string(&sample()).unwrap();
        let moved = json.replace("\"document\"", "\"address\"");
        assert_ne!(moved, json);
        assert!(serde_json::from_str::<Subject>(&moved).is_err());
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
