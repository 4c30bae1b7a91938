//! What a list has and lacks, in counts: how well its match keys can work.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher as _;

use crate::date::Date;
use crate::exclusion::Exclusion;
use crate::field::{Field, Group};
use crate::fold::is_placeholder;
use crate::jmbg::is_jmbg;
use crate::rules::{LinkageRules, key_types_present};
use crate::subject::{Subject, Tuple};

/// The type under which a list names the Serbian national number.
const JMBG: &str = "jmbg";

/// Counts over the subjects of a list; no value is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Subjects.
    pub subjects: u64,
    /// Per field that anybody has.
    pub fields: BTreeMap<Field, FieldProfile>,
    /// Subjects with a birth date of 1 January.
    pub default_dates: u64,
    /// Subjects with Latin and Cyrillic letters in one word of a name or place: look-alikes typed by mistake.
    pub mixed_scripts: u64,
    /// National numbers of the type `jmbg`.
    pub jmbg: u64,
    /// Of these, without the form or the check digit of one.
    pub jmbg_bad: u64,
    /// Subjects by exclusion.
    pub flagged: BTreeMap<Exclusion, u64>,
}

/// One field of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldProfile {
    /// Subjects with a value that is no placeholder.
    pub usable: u64,
    /// Subjects with placeholders only.
    pub placeholders: u64,
    /// Subjects with several values.
    pub several: u64,
}

impl Profile {
    /// Counts one subject.
    pub fn count(&mut self, subject: &Subject) {
        self.subjects += 1;
        for field in subject.fields() {
            let values = subject.values_of(field);
            let counts = self.fields.entry(field).or_default();
            let usable = values.iter().any(|value| !is_placeholder(value));
            counts.usable += u64::from(usable);
            counts.placeholders += u64::from(!usable);
            counts.several += u64::from(values.len() > 1);
        }
        let dobs = subject.values_of(Field::Dob);
        let is_default = |dob: &String| Date::from_iso(dob).is_some_and(Date::is_first_of_january);
        self.default_dates += u64::from(dobs.iter().any(is_default));
        let words = [
            Field::GivenNames,
            Field::FamilyNames,
            Field::FullName,
            Field::Aliases,
            Field::PlaceOfBirth,
        ];
        let mixed = words
            .into_iter()
            .any(|field| subject.values_of(field).iter().any(|value| is_mixed(value)));
        self.mixed_scripts += u64::from(mixed);
        for number in subject.tuples_of(Group::NationalId) {
            self.count_number(number);
        }
        for exclusion in &subject.exclusions {
            *self.flagged.entry(*exclusion).or_default() += 1;
        }
    }

    fn count_number(&mut self, number: &Tuple) {
        let types = number.get(&Field::NationalIdType).into_iter().flatten();
        if !{ types }.any(|of_type| of_type.eq_ignore_ascii_case(JMBG)) {
            return;
        }
        for value in number.get(&Field::NationalId).into_iter().flatten() {
            if !is_placeholder(value) {
                self.jmbg += 1;
                self.jmbg_bad += u64::from(!is_jmbg(value));
            }
        }
    }
}

/// The match keys of a list under some linkage rules, in counts.
///
/// Memory is eight bytes per match key. Keys are compared by a hash of 64 bits with a secret of this process: among ten
/// million keys one pair is taken for equal by chance with a probability of 3 in a million.
#[derive(Debug)]
pub struct KeyProfile<'r> {
    rules: &'r LinkageRules,
    hasher: RandomState,
    subjects_by_keys: BTreeMap<u64, u64>,
    with_type: Vec<u64>,
    cut_subjects: u64,
    /// Per key type: hash of the key, number of the subject.
    held: Vec<Vec<(u64, u32)>>,
    subjects: u32,
}

/// What a [`KeyProfile`] comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCounts {
    /// Subjects by their number of match keys.
    pub subjects_by_keys: BTreeMap<u64, u64>,
    /// Per key type: subjects that have one.
    pub with_type: Vec<u64>,
    /// Per key type: subjects that share one with another subject of the list.
    pub sharing: Vec<u64>,
    /// Subjects whose match keys were cut at the limit.
    pub cut_subjects: u64,
}

impl<'r> KeyProfile<'r> {
    /// Under these rules, of nobody yet.
    pub fn new(rules: &'r LinkageRules) -> Self {
        let types = rules.match_key_rules().len();
        Self {
            rules,
            hasher: RandomState::new(),
            subjects_by_keys: BTreeMap::new(),
            with_type: vec![0; types],
            cut_subjects: 0,
            held: vec![Vec::new(); types],
            subjects: 0,
        }
    }

    /// Counts one subject.
    ///
    /// # Panics
    /// After 2^32 subjects; a dataset has fewer.
    pub fn count(&mut self, subject: &Subject) {
        let derived = self.rules.derive_keys(subject);
        *self
            .subjects_by_keys
            .entry(derived.keys.len() as u64)
            .or_default() += 1;
        self.cut_subjects += u64::from(derived.cut_count > 0);
        let present = key_types_present(&derived.keys);
        for (key_type, count) in self.with_type.iter_mut().enumerate() {
            *count += u64::from(present & 1 << key_type != 0);
        }
        for key in &derived.keys {
            let hash = self.hasher.hash_one(&key.value);
            self.held[usize::from(key.key_type)].push((hash, self.subjects));
        }
        self.subjects = self
            .subjects
            .checked_add(1)
            .expect("a dataset has fewer than 2^32 subjects");
    }

    /// The counts.
    pub fn finish(self) -> KeyCounts {
        let sharing = self.held.into_iter().map(|mut held| {
            held.sort_unstable();
            let mut sharing = BTreeSet::new();
            for same in held.chunk_by(|(a, _), (b, _)| a == b) {
                if same.len() > 1 {
                    sharing.extend(same.iter().map(|(_, subject)| *subject));
                }
            }
            sharing.len() as u64
        });
        KeyCounts {
            sharing: sharing.collect(),
            subjects_by_keys: self.subjects_by_keys,
            with_type: self.with_type,
            cut_subjects: self.cut_subjects,
        }
    }
}

fn is_mixed(value: &str) -> bool {
    value.split_whitespace().any(|word| {
        let cyrillic = word
            .chars()
            .any(|c| matches!(c, '\u{0400}'..='\u{052F}') && c.is_alphabetic());
        let latin = word.chars().any(|c| {
            (c.is_ascii() || matches!(c, '\u{00C0}'..='\u{024F}' | '\u{1E00}'..='\u{1EFF}'))
                && c.is_alphabetic()
        });
        cyrillic && latin
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::demo_rules;

    #[test]
    fn a_profile_counts_what_a_list_has_and_lacks() {
        let mut profile = Profile::default();
        let cyrillic_a_in_latin = "S\u{0430}vić";
        for subject in [
            Subject::new("1")
                .with(Field::FamilyNames, cyrillic_a_in_latin)
                .with(Field::Dob, "1990-01-01")
                .with(Field::NationalId, "1403987660121")
                .with(Field::NationalIdType, "JMBG"),
            Subject::new("2")
                .with(Field::FamilyNames, "Савић Ana")
                .with(Field::NationalId, "1403987660122")
                .with(Field::NationalIdType, "jmbg")
                .excluded_as(Exclusion::Minor),
            Subject::new("3")
                .with(Field::FamilyNames, "UNKNOWN")
                .with(Field::NationalId, "1")
                .with(Field::NationalIdType, "opaque"),
            Subject::new("4")
                .with(Field::FamilyNames, "UNKNOWN")
                .with(Field::FamilyNames, "Savić"),
        ] {
            profile.count(&subject);
        }
        assert_eq!((profile.subjects, profile.default_dates), (4, 1));
        assert_eq!(
            profile.mixed_scripts, 1,
            "two words in two scripts are none"
        );
        assert_eq!((profile.jmbg, profile.jmbg_bad), (2, 1));
        assert_eq!(profile.flagged, [(Exclusion::Minor, 1)].into());
        assert_eq!(
            profile.fields[&Field::FamilyNames],
            FieldProfile {
                usable: 3,
                placeholders: 1,
                several: 1
            }
        );
    }

    #[test]
    fn shared_keys_are_counted_by_subject_and_type() {
        let rules = demo_rules();
        let mut profile = KeyProfile::new(&rules);
        for number in ["1", "1", "2", "1"] {
            let passport = Subject::new("r").with_tuple([
                (Field::DocumentState, "SRB"),
                (Field::DocumentNumber, number),
            ]);
            profile.count(&passport);
        }
        profile.count(&Subject::new("r"));
        let counts = profile.finish();
        assert_eq!(counts.subjects_by_keys, [(0, 1), (1, 4)].into());
        assert_eq!(counts.with_type, [0, 4, 0]);
        assert_eq!(counts.sharing, [0, 3, 0]);
        assert_eq!(counts.cut_subjects, 0);
    }
}
