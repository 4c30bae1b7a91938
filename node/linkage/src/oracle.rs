//! The join in plain sight: the reference that a round's result is compared with.
//!
//! It sees both lists, so it is for tests and for `linkage evaluate` on one machine, never for two agencies.

use std::collections::BTreeMap;

use crate::grade::{Grade, grade};
use crate::rules::{LinkageRules, MatchKey, key_types_present};
use crate::subject::Subject;

/// A pair of subjects that is a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OraclePair {
    /// Position in the left list.
    pub left_index: usize,
    /// Position in the right list.
    pub right_index: usize,
    /// Mask of the key types in which they have a match key in common.
    pub agreed: u32,
}

/// Every pair of subjects with a grade, ascending by the two positions.
///
/// Sorts the match keys of both lists and walks them side by side: n log n, plus the number of agreeing pairs, which a
/// match key held by many subjects on both sides makes large.
pub fn join(rules: &LinkageRules, left: &[Subject], right: &[Subject]) -> Vec<OraclePair> {
    join_graded(rules, left, right)
        .into_iter()
        .map(|(pair, _)| pair)
        .collect()
}

/// [`join`], with the grade of each pair; the left list is the own one.
pub fn join_graded(
    rules: &LinkageRules,
    left: &[Subject],
    right: &[Subject],
) -> Vec<(OraclePair, Grade)> {
    let left = Side::new(rules, left);
    let right = Side::new(rules, right);
    let mut agreed: BTreeMap<(usize, usize), u32> = BTreeMap::new();
    let mut rest = right.keys.as_slice();
    for run in left.keys.chunk_by(|(a, _), (b, _)| a == b) {
        let key = &run[0].0;
        rest = &rest[rest.partition_point(|(other, _)| other < key)..];
        let equal = &rest[..rest.partition_point(|(other, _)| other == key)];
        for (_, left_index) in run {
            for (_, right_index) in equal {
                *agreed.entry((*left_index, *right_index)).or_default() |= 1 << key.key_type;
            }
        }
    }
    agreed
        .into_iter()
        .filter_map(|((left_index, right_index), agreed)| {
            let grade = grade(
                rules,
                agreed,
                left.present[left_index],
                right.present[right_index],
            )?;
            Some((
                OraclePair {
                    left_index,
                    right_index,
                    agreed,
                },
                grade,
            ))
        })
        .collect()
}

struct Side {
    keys: Vec<(MatchKey, usize)>,
    present: Vec<u32>,
}

impl Side {
    fn new(rules: &LinkageRules, subjects: &[Subject]) -> Self {
        let mut keys = Vec::new();
        let mut present = Vec::with_capacity(subjects.len());
        for (index, subject) in subjects.iter().enumerate() {
            let own = rules.match_keys(subject);
            present.push(key_types_present(&own));
            keys.extend(own.into_iter().map(|key| (key, index)));
        }
        keys.sort_unstable();
        Self { keys, present }
    }
}
