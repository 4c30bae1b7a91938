//! The own match keys of a dataset, by type, each once, with the subjects that hold it.

use mandorla_linkage::{LinkageRules, key_types_present};
use mandorla_store::StoreError;

use crate::datasets::for_each_subject;
use crate::node::Node;

/// Match keys and their holders. Rows of a type are in ascending byte order, so an index that is built again after a
/// restart has every row where it was.
pub(crate) struct OwnIndex {
    types: Vec<TypeIndex>,
    key_types: Vec<u32>,
}

/// The match keys of one type.
#[derive(Default)]
pub(crate) struct TypeIndex {
    bytes: Vec<u8>,
    key_ends: Vec<u32>,
    holders: Vec<u32>,
    holder_ends: Vec<u32>,
}

impl OwnIndex {
    /// Derives the match keys of every subject of a dataset generation that has so many subjects.
    pub(crate) fn build(
        node: &Node,
        (generation, subjects): (u64, u64),
        rules: &LinkageRules,
    ) -> Result<Self, StoreError> {
        let mut raw: Vec<Vec<(Box<[u8]>, u32)>> = Vec::new();
        raw.resize_with(rules.match_key_rules().len(), Vec::new);
        let mut key_types = Vec::new();
        for_each_subject(node, generation, subjects, |index, subject| {
            let keys = rules.match_keys(&subject);
            key_types.push(key_types_present(&keys));
            let index = u32::try_from(index).expect("a dataset has fewer than 2^30 subjects");
            for key in keys {
                raw[usize::from(key.key_type)].push((key.value.into(), index));
            }
            Ok::<(), StoreError>(())
        })?;
        Ok(Self {
            types: raw.into_iter().map(TypeIndex::new).collect(),
            key_types,
        })
    }

    pub(crate) fn types(&self) -> &[TypeIndex] {
        &self.types
    }

    pub(crate) fn of_type(&self, key_type: u8) -> &TypeIndex {
        &self.types[usize::from(key_type)]
    }

    pub(crate) fn subjects(&self) -> u64 {
        self.key_types.len() as u64
    }

    /// Key types that a subject has, one bit each.
    pub(crate) fn key_types_of(&self, subject: u32) -> u32 {
        self.key_types[subject as usize]
    }

    /// (subject, match key) incidences: the cells of a question before padding.
    pub(crate) fn incidences(&self) -> u64 {
        self.types
            .iter()
            .map(|of_type| of_type.holders.len() as u64)
            .sum()
    }

    /// Distinct match keys per type.
    pub(crate) fn match_keys(&self) -> Vec<u64> {
        self.types
            .iter()
            .map(|of_type| of_type.len() as u64)
            .collect()
    }
}

impl TypeIndex {
    fn new(mut raw: Vec<(Box<[u8]>, u32)>) -> Self {
        raw.sort_unstable();
        let mut index = Self::default();
        for same_key in raw.chunk_by(|(a, _), (b, _)| a == b) {
            index.bytes.extend_from_slice(&same_key[0].0);
            index.key_ends.push(end(index.bytes.len()));
            index
                .holders
                .extend(same_key.iter().map(|(_, subject)| subject));
            index.holder_ends.push(end(index.holders.len()));
        }
        index
    }

    pub(crate) fn len(&self) -> usize {
        self.key_ends.len()
    }

    /// The match key of a row.
    pub(crate) fn key(&self, row: usize) -> &[u8] {
        &self.bytes[range(&self.key_ends, row)]
    }

    /// The subjects that hold a row's match key, ascending.
    pub(crate) fn holders(&self, row: usize) -> &[u32] {
        &self.holders[range(&self.holder_ends, row)]
    }

    /// The match keys of some rows; rows beyond the last are left out.
    pub(crate) fn keys(&self, rows: std::ops::Range<u32>) -> Vec<&[u8]> {
        let end = (rows.end as usize).min(self.len());
        (rows.start as usize..end)
            .map(|row| self.key(row))
            .collect()
    }
}

fn end(length: usize) -> u32 {
    u32::try_from(length).expect("match keys of one type stay below 4 GiB")
}

fn range(ends: &[u32], index: usize) -> std::ops::Range<usize> {
    let start = if index == 0 { 0 } else { ends[index - 1] };
    start as usize..ends[index] as usize
}
