//! What the agreements of this node make of a dataset.

use std::collections::BTreeMap;

use mandorla_agreement::Agreement;
use mandorla_control::{ApiError, DatasetUseView, KeyProfileView};
use mandorla_linkage::{Field, KeyCounts, KeyProfile, Subject};

use crate::agreements::{self, Held};
use crate::node::Node;

/// The agreements of this node that name a dataset of its own.
pub(super) fn naming(node: &Node, name: &str) -> Result<Vec<Held>, ApiError> {
    let code = node.code();
    let names = |held: &Held| {
        let mut datasets = held.agreement.terms().dataset.iter();
        datasets.any(|dataset| dataset.party == code && dataset.id == name)
    };
    let all = agreements::all(node)?;
    Ok(all.into_iter().filter(names).collect())
}

/// A dataset under one agreement, counted as its subjects pass.
pub(super) struct Use<'a> {
    held: &'a Held,
    excluded: BTreeMap<String, u64>,
    keys: KeyProfile<'a>,
}

impl<'a> Use<'a> {
    pub(super) fn new(held: &'a Held) -> Self {
        Self {
            held,
            excluded: BTreeMap::new(),
            keys: KeyProfile::new(held.agreement.linkage_rules()),
        }
    }

    pub(super) fn count(&mut self, node: &Node, subject: &Subject) {
        let nationalities = subject.values_of(Field::Nationality);
        let flags = subject.exclusions.iter().copied();
        match self
            .held
            .agreement
            .excludes(&node.config.policy, flags, &nationalities)
        {
            Some(predicate) => *self.excluded.entry(predicate.to_owned()).or_default() += 1,
            None => self.keys.count(subject),
        }
    }

    /// For a load report.
    pub(super) fn into_view(self) -> DatasetUseView {
        let agreement = &self.held.agreement;
        let counts = self.keys.finish();
        DatasetUseView {
            agreement: agreement.id().to_owned(),
            state: self.held.state.to_string(),
            excluded: self.excluded,
            match_keys: by_type(agreement, &counts.with_type),
            cut_subjects: counts.cut_subjects,
        }
    }

    /// For a profile.
    pub(super) fn into_profile(self) -> KeyProfileView {
        let agreement = &self.held.agreement;
        let KeyCounts {
            subjects_by_keys,
            sharing,
            ..
        } = self.keys.finish();
        KeyProfileView {
            agreement: agreement.id().to_owned(),
            subjects_by_keys,
            sharing: by_type(agreement, &sharing),
        }
    }
}

fn by_type(agreement: &Agreement, counts: &[u64]) -> BTreeMap<String, u64> {
    let rules = agreement.linkage_rules().match_key_rules().iter();
    rules
        .zip(counts)
        .map(|(rule, count)| (rule.id.clone(), *count))
        .collect()
}
