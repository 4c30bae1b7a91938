//! The own match keys of a dataset, by type, each once, with the subjects that hold it.

use std::collections::BTreeMap;

use mandorla_agreement::Agreement;
use mandorla_linkage::{Field, key_types_present};
use mandorla_store::StoreError;

use crate::datasets::for_each_subject;
use crate::node::Node;
use crate::records::round::RoundRecord;
use crate::rounds::error::RoundError;

/// Match keys and their holders. Rows of a type are in ascending byte order, so an index that is built again after a
/// restart has every row where it was.
pub(crate) struct OwnIndex {
    types: Vec<TypeIndex>,
    key_types: Vec<u32>,
    excluded: BTreeMap<&'static str, u64>,
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
    /// The index of a round that has begun. A row must be where it was: where the node's policy excludes other subjects
    /// by now, the round cannot go on.
    pub(crate) fn of_round(
        node: &Node,
        record: &RoundRecord,
        agreement: &Agreement,
    ) -> Result<Self, RoundError> {
        if record.policy_scope != policy_scope(node, agreement.id()) {
            let why = "the node's policy excludes other subjects than when the round began (policy.exclude, policy.nationalities_out)";
            return Err(RoundError::NotAllowed(why.to_owned()));
        }
        Ok(Self::build(
            node,
            (record.generation, record.subjects),
            agreement,
        )?)
    }

    /// Derives the match keys of every subject of a dataset generation that has so many subjects, without those that
    /// the agreement's scope or the node's policy keeps out of rounds.
    pub(crate) fn build(
        node: &Node,
        (generation, subjects): (u64, u64),
        agreement: &Agreement,
    ) -> Result<Self, StoreError> {
        let rules = agreement.linkage_rules();
        let policy = &node.config.policy;
        let mut excluded = BTreeMap::new();
        let mut raw: Vec<Vec<(Box<[u8]>, u32)>> = Vec::new();
        raw.resize_with(rules.match_key_rules().len(), Vec::new);
        let mut key_types = Vec::new();
        for_each_subject(node, generation, subjects, |index, subject| {
            let flags = subject.exclusions.iter().copied();
            let nationalities = subject.values_of(Field::Nationality);
            if let Some(predicate) = agreement.excludes(policy, flags, &nationalities) {
                *excluded.entry(predicate).or_default() += 1;
                key_types.push(0);
                return Ok::<(), StoreError>(());
            }
            let keys = rules.match_keys(&subject);
            key_types.push(key_types_present(&keys));
            let index = u32::try_from(index).expect("a dataset has fewer than 2^30 subjects");
            for key in keys {
                raw[usize::from(key.key_type)].push((key.value.into(), index));
            }
            Ok(())
        })?;
        Ok(Self {
            types: raw.into_iter().map(TypeIndex::new).collect(),
            key_types,
            excluded,
        })
    }

    pub(crate) fn types(&self) -> &[TypeIndex] {
        &self.types
    }

    pub(crate) fn of_type(&self, key_type: u8) -> &TypeIndex {
        &self.types[usize::from(key_type)]
    }

    /// Subjects that take part.
    pub(crate) fn subjects(&self) -> u64 {
        self.rows() - self.excluded.values().sum::<u64>()
    }

    /// Subjects of the dataset, those that take no part included: their places stay empty.
    pub(crate) fn rows(&self) -> u64 {
        self.key_types.len() as u64
    }

    /// How many subjects take no part, by the predicate that keeps them out. For the own ledger and the own people.
    pub(crate) fn excluded(&self) -> &BTreeMap<&'static str, u64> {
        &self.excluded
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

/// What the node's policy adds to the scope of an agreement, to tell whether it changed.
pub(crate) fn policy_scope(node: &Node, agreement: &str) -> String {
    let policy = &node.config.policy;
    let own = policy.agreement.get(agreement);
    let layers = [Some(policy), own].map(|layer| {
        layer.map(|layer| {
            let flags: Vec<_> = layer.exclude.iter().map(|flag| flag.word()).collect();
            format!("{} {}", flags.join(","), layer.nationalities_out.join(","))
        })
    });
    layers.map(Option::unwrap_or_default).join("; ")
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
