//! Lists of people for the nodes, and what a plaintext join finds in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mandorla_cli::world::value_of;
use mandorla_control::HitView;
use mandorla_linkage::oracle::join_graded;
use mandorla_linkage::{Field, Grade, LinkageRules, MapFile, RowLimits, Subject, load_csv};

/// Column of an own reference in the lists made here.
const REFERENCE_COLUMN: &str = "reference";

/// A table as a node loads it, and the subjects that come of it.
#[derive(Clone, Debug)]
pub struct List {
    /// Comma-separated values with a header line.
    pub csv: String,
    /// The map file.
    pub map: String,
    /// The subjects that the loader accepts, in the order of the file.
    pub subjects: Vec<Subject>,
}

impl List {
    /// A table and its map file, read as a node reads them: rows that it refuses are not among the subjects.
    ///
    /// # Panics
    /// If the file as a whole cannot be loaded.
    pub fn read(csv: String, map: String) -> Self {
        let parsed = MapFile::parse(&map).expect("a test has a valid map file");
        let limits = RowLimits::default();
        let load = load_csv(csv.as_bytes(), &parsed, &limits).expect("a test has a readable table");
        let (subjects, _) = load
            .collect_subjects()
            .expect("a test has a readable table");
        Self { csv, map, subjects }
    }

    /// A table of these subjects, with one value in each field. The reference stands in `case_ref` too, so that it can
    /// be released.
    ///
    /// # Panics
    /// If a field has two values.
    pub fn of(subjects: &[Subject]) -> Self {
        let fields: BTreeSet<Field> = subjects.iter().flat_map(Subject::fields).collect();
        let mut map =
            format!("[columns]\nref = \"{REFERENCE_COLUMN}\"\ncase_ref = \"{REFERENCE_COLUMN}\"\n");
        for field in &fields {
            writeln!(map, "{field} = \"{field}\"").expect("writing to a String cannot fail");
        }
        let mut table = csv::Writer::from_writer(Vec::new());
        let header = fields.iter().map(|field| field.name());
        table
            .write_record(std::iter::once(REFERENCE_COLUMN).chain(header))
            .expect("a header");
        for subject in subjects {
            let values = fields.iter().map(|field| {
                let mut values = subject.values_of(*field);
                assert!(values.len() <= 1, "a column holds one value of {field}");
                values.pop().unwrap_or_default()
            });
            table
                .write_record(std::iter::once(subject.reference.clone()).chain(values))
                .expect("a row");
        }
        let csv = table.into_inner().expect("a table in memory");
        Self::read(String::from_utf8(csv).expect("texts"), map)
    }
}

/// What a plaintext join says of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Key types that agree.
    pub agreed: u32,
    /// The grade.
    pub grade: Grade,
}

/// The pairs of references that a round must find: those of the plaintext join, without the responder's subjects that
/// share match keys with more than `max_pairs` of the requester's.
pub fn expected(
    rules: &LinkageRules,
    asked: &[Subject],
    known: &[Subject],
    max_pairs: u32,
) -> BTreeMap<(String, String), Joined> {
    let dropped = dropped(rules, asked, known, max_pairs);
    join_graded(rules, asked, known)
        .into_iter()
        .filter(|(pair, _)| !dropped.contains(&pair.right_index))
        .map(|(pair, grade)| {
            let left = asked[pair.left_index].reference.clone();
            let right = known[pair.right_index].reference.clone();
            let agreed = pair.agreed;
            ((left, right), Joined { agreed, grade })
        })
        .collect()
}

/// What the requester holds, in the same words: pairs of its own and the released reference.
///
/// # Panics
/// If a pair comes twice, has no released reference, or names a match key or grade that does not exist.
pub fn found(rules: &LinkageRules, hits: &[HitView]) -> BTreeMap<(String, String), Joined> {
    let mut found = BTreeMap::new();
    for hit in hits {
        let released = value_of(&hit.released, Field::CaseRef.name());
        let right = released.expect("a released reference").to_owned();
        let pair = (hit.own_reference.clone(), right);
        let agreed = key_types(rules, hit.match_keys.iter().map(String::as_str));
        let grade = grade_named(&hit.grade);
        let before = found.insert(pair, Joined { agreed, grade });
        assert!(before.is_none(), "{} repeats a pair", hit.id);
    }
    found
}

/// The mask of match keys given by their ids.
///
/// # Panics
/// If the rules have no such match key.
pub fn key_types<'a>(rules: &LinkageRules, ids: impl IntoIterator<Item = &'a str>) -> u32 {
    ids.into_iter().fold(0, |mask, id| {
        let mut known = rules.match_key_rules().iter();
        let key_type = known.position(|rule| rule.id == id);
        mask | 1 << key_type.unwrap_or_else(|| panic!("{id} is no match key"))
    })
}

fn grade_named(name: &str) -> Grade {
    let all = [
        Grade::Identity,
        Grade::Strong,
        Grade::Probable,
        Grade::Lead,
        Grade::Conflict,
    ];
    let found = all.into_iter().find(|grade| grade.name() == name);
    found.unwrap_or_else(|| panic!("{name} is no grade"))
}

/// Positions of the responder's subjects with too many partners, counted without any threshold.
fn dropped(
    rules: &LinkageRules,
    asked: &[Subject],
    known: &[Subject],
    max_pairs: u32,
) -> BTreeSet<usize> {
    let mut holders: BTreeMap<_, BTreeSet<usize>> = BTreeMap::new();
    for (index, subject) in asked.iter().enumerate() {
        for key in rules.match_keys(subject) {
            holders.entry(key).or_default().insert(index);
        }
    }
    let partners = |subject: &Subject| {
        let keys = rules.match_keys(subject);
        let found = keys.iter().filter_map(|key| holders.get(key));
        found.flatten().copied().collect::<BTreeSet<_>>().len()
    };
    let too_many = |subject: &Subject| partners(subject) > max_pairs as usize;
    let indices = known.iter().enumerate();
    indices
        .filter(|(_, subject)| too_many(subject))
        .map(|(index, _)| index)
        .collect()
}

#[cfg(test)]
mod tests {
    use mandorla_linkage::{Strength, Transforms};

    use super::*;
    use crate::agreement::{Deal, match_key};

    #[test]
    fn a_table_gives_back_its_subjects_with_the_reference_to_release() {
        let subject = Subject::new("A, \"1\"").with(Field::FamilyNames, "Đorđević, Ана");
        let list = List::of(std::slice::from_ref(&subject));
        let expected = subject.with(Field::CaseRef, "A, \"1\"");
        assert_eq!(list.subjects, [expected]);
    }

    #[test]
    fn a_subject_with_more_partners_than_allowed_is_dropped_and_no_other() {
        let key = match_key(
            "id",
            &[Field::NationalId],
            Transforms::default(),
            Strength::Strong,
            true,
        );
        let deal = Deal {
            match_keys: vec![key],
            ..Deal::default()
        };
        let rules = deal.rules();
        let of = |reference: &str, id: &str| Subject::new(reference).with(Field::NationalId, id);
        let asked = [of("a", "1"), of("b", "1"), of("c", "2")];
        let known = [of("x", "1"), of("y", "2")];
        assert_eq!(expected(&rules, &asked, &known, 2).len(), 3);
        let kept: Vec<_> = expected(&rules, &asked, &known, 1).into_keys().collect();
        assert_eq!(kept, [("c".to_owned(), "y".to_owned())]);
    }
}
