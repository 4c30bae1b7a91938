//! What the accepted subjects have and lack, counted as they pass, in bounded memory.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::report::LoadWarnings;
use crate::date::Date;
use crate::exclusion::Exclusion;
use crate::field::{Field, Group};
use crate::fold::is_placeholder;
use crate::map_file::MapFile;
use crate::subject::{Subject, Tuple};

/// Fields in which many subjects with one value point to a placeholder or a slipped column.
const WATCHED: [Field; 6] = [
    Field::NationalId,
    Field::DocumentNumber,
    Field::Phone,
    Field::Iban,
    Field::Plate,
    Field::Dob,
];
/// Values followed at once per field: a value of more than one in 33 is found for certain, and its count is short by at
/// most one in 33 of all.
const FOLLOWED: usize = 32;
/// Below this a repeated value is nothing to look at.
const REPEATED_MIN: u64 = 10;
/// Repeated in one of so many subjects: far above any birthday, and no number is shared by so many.
const REPEATED_ONE_IN: u64 = 20;

pub(super) struct Tally {
    /// Fields that columns fill.
    mapped: Vec<Field>,
    present: BTreeMap<Field, u64>,
    usable: BTreeMap<Field, u64>,
    frequent: BTreeMap<Field, Frequent>,
    subjects: u64,
    rows_with_ref_only: u64,
    first_of_january: u64,
    numbers_without_type: u64,
    documents_without_state: u64,
}

impl Tally {
    pub(super) fn new(map: &MapFile) -> Self {
        let fields = map.things().iter().flat_map(|thing| &thing.fields);
        let mut mapped: Vec<Field> = fields
            .filter(|(_, filling)| !filling.columns().is_empty())
            .map(|(field, _)| *field)
            .collect();
        mapped.sort_unstable();
        mapped.dedup();
        Self {
            mapped,
            present: BTreeMap::new(),
            usable: BTreeMap::new(),
            frequent: BTreeMap::new(),
            subjects: 0,
            rows_with_ref_only: 0,
            first_of_january: 0,
            numbers_without_type: 0,
            documents_without_state: 0,
        }
    }

    pub(super) fn count(&mut self, subject: &Subject) {
        self.subjects += 1;
        let mut any = false;
        for field in &self.mapped {
            let values = subject.values_of(*field);
            if values.is_empty() {
                continue;
            }
            any = true;
            *self.present.entry(*field).or_default() += 1;
            if values.iter().any(|value| !is_placeholder(value)) {
                *self.usable.entry(*field).or_default() += 1;
            }
            if WATCHED.contains(field) {
                let frequent = self.frequent.entry(*field).or_default();
                for value in &values {
                    frequent.see(value);
                }
            }
        }
        self.rows_with_ref_only += u64::from(!any);
        let dobs = subject.values_of(Field::Dob);
        let is_default = |dob: &String| Date::from_iso(dob).is_some_and(Date::is_first_of_january);
        self.first_of_january += u64::from(dobs.iter().any(is_default));
        let lacks = |group, has: Field, lacks: Field| {
            let tuples = subject.tuples_of(group).iter();
            let lacking = |tuple: &Tuple| tuple.contains_key(&has) && !tuple.contains_key(&lacks);
            u64::from({ tuples }.any(lacking))
        };
        self.numbers_without_type +=
            lacks(Group::NationalId, Field::NationalId, Field::NationalIdType);
        self.documents_without_state +=
            lacks(Group::Document, Field::DocumentNumber, Field::DocumentState);
    }

    pub(super) fn finish(
        self,
        warnings: &mut LoadWarnings,
        flagged: &BTreeMap<Exclusion, u64>,
        works_out_minors: bool,
    ) {
        let count = |of: &BTreeMap<Field, u64>, field| of.get(field).copied().unwrap_or(0);
        warnings.subjects = self.subjects;
        warnings.birth_dates = count(&self.present, &Field::Dob);
        warnings.birth_dates_first_of_january = self.first_of_january;
        warnings.rows_with_ref_only = self.rows_with_ref_only;
        warnings.numbers_without_type = self.numbers_without_type;
        warnings.documents_without_state = self.documents_without_state;
        warnings.minors_by_birth_date =
            works_out_minors.then(|| flagged.get(&Exclusion::Minor).copied().unwrap_or(0));
        if self.subjects == 0 {
            return;
        }
        for field in &self.mapped {
            let (present, usable) = (count(&self.present, field), count(&self.usable, field));
            if present == 0 {
                warnings.empty_columns.push(*field);
            } else if usable < self.subjects {
                warnings.missing.insert(*field, self.subjects - usable);
            }
            if usable < present {
                warnings.placeholders.insert(*field, present - usable);
            }
        }
        for (field, frequent) in self.frequent {
            let most = frequent.most();
            if most >= REPEATED_MIN && most * REPEATED_ONE_IN >= self.subjects {
                warnings.repeated.insert(field, most);
            }
        }
    }
}

/// The most frequent values of a stream (Misra and Gries, "Finding repeated elements", 1982), by digest.
#[derive(Default)]
struct Frequent {
    counts: BTreeMap<[u8; 16], u64>,
}

impl Frequent {
    fn see(&mut self, value: &str) {
        let digest: [u8; 16] = Sha256::digest(value)[..16]
            .try_into()
            .expect("a SHA-256 digest has 32 bytes");
        if let Some(count) = self.counts.get_mut(&digest) {
            *count += 1;
        } else if self.counts.len() < FOLLOWED {
            self.counts.insert(digest, 1);
        } else {
            self.counts.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    /// The count of the most frequent value, never too high.
    fn most(&self) -> u64 {
        self.counts.values().copied().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_one_in_ten_is_found_among_many_others() {
        let mut frequent = Frequent::default();
        for number in 0..10_000 {
            frequent.see(&format!("{number}"));
            if number % 10 == 0 {
                frequent.see("000");
            }
        }
        let most = frequent.most();
        assert!((1_000 - 11_000 / 33..=1_001).contains(&most), "{most}");
        assert!(frequent.counts.len() <= FOLLOWED);
    }
}
