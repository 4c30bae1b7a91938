//! What a node allows beyond the agreement: nothing. A policy only narrows.

use std::collections::BTreeMap;

use mandorla_linkage::{Exclusion, Field};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

use crate::scope::is_nationality;
use crate::{Direction, Duration, TwoPersonWhen};

/// Rounds of one peer that may be open at once, where a policy does not say: enough for a peer's whole working day, and
/// few enough that a misbehaving peer cannot fill the disk.
pub const OPEN_ROUNDS_PER_PEER_MAX: u32 = 16;

/// `[policy]` of `node.toml`: what this node allows of what its agreements permit, in both directions. The effective
/// rule is always the agreement *and* the policy, so a clause here can only narrow; one that is absent narrows nothing.
///
/// `[policy.agreement."ID"]` narrows one agreement further, with the same keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LocalPolicy {
    /// Whether peers may propose rounds at all.
    pub accept_rounds: bool,
    /// Rounds of one peer that may be open at once, under all agreements; 16 if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_rounds_per_peer_max: Option<u32>,
    /// Purpose codes that may be served; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<String>,
    /// Fewest subjects on either side of a round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_set: Option<u64>,
    /// Most subjects in a question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_set: Option<u64>,
    /// Most subjects of the responder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responder_max_set: Option<u64>,
    /// Rounds per UTC day, agreement and direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds_per_day: Option<u32>,
    /// Padded question sizes per UTC calendar month, agreement and direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subjects_per_month: Option<u64>,
    /// Time between the starts of two rounds in one direction of an agreement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_interval: Option<Duration>,
    /// Oldest load of the own dataset, in days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_days: Option<u32>,
    /// Fields of the own records that never leave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forbidden_fields: Vec<Field>,
    /// Most items released in one answer; the answer keeps its agreed size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_release: Option<u32>,
    /// When a second officer must release, too, beside what the agreement says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub two_person_when: Vec<TwoPersonWhen>,
    /// Subjects with one of these properties take part in no round.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Exclusion>,
    /// Subjects with one of these nationalities (ISO 3166 codes) take part in no round.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "codes")]
    pub nationalities_out: Vec<String>,
    /// Most evaluations per match key in the period that the agreement gives it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub evaluations: BTreeMap<String, u64>,
    /// Further narrowing under one agreement, by its id.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "overrides"
    )]
    pub agreement: BTreeMap<String, LocalPolicy>,
}

impl Default for LocalPolicy {
    fn default() -> Self {
        Self {
            accept_rounds: true,
            open_rounds_per_peer_max: None,
            purposes: Vec::new(),
            min_set: None,
            max_set: None,
            responder_max_set: None,
            rounds_per_day: None,
            subjects_per_month: None,
            min_interval: None,
            max_age_days: None,
            forbidden_fields: Vec::new(),
            max_release: None,
            two_person_when: Vec::new(),
            exclude: Vec::new(),
            nationalities_out: Vec::new(),
            evaluations: BTreeMap::new(),
            agreement: BTreeMap::new(),
        }
    }
}

/// One table of a policy that applies, and how clauses name it.
#[derive(Debug, Clone)]
pub(crate) struct Layer<'a> {
    pub(crate) at: String,
    pub(crate) policy: &'a LocalPolicy,
}

impl LocalPolicy {
    /// Whether peers may propose rounds under this agreement; otherwise the clause that says no.
    ///
    /// # Errors
    /// The clause, such as `policy.accept_rounds`.
    pub fn accepts_rounds(&self, agreement: &str) -> Result<(), String> {
        match self
            .layers(agreement)
            .find(|layer| !layer.policy.accept_rounds)
        {
            None => Ok(()),
            Some(layer) => Err(format!("{}.accept_rounds", layer.at)),
        }
    }

    /// Rounds of one peer that may be open at once.
    pub fn open_rounds_per_peer_max(&self) -> u32 {
        self.open_rounds_per_peer_max
            .unwrap_or(OPEN_ROUNDS_PER_PEER_MAX)
    }

    /// The tables that apply to an agreement: the general one, and its own if there is one.
    pub(crate) fn layers<'a>(&'a self, agreement: &str) -> impl Iterator<Item = Layer<'a>> {
        let own = self.agreement.get_key_value(agreement);
        let own = own.map(|(id, policy)| Layer {
            at: format!("policy.agreement.\"{id}\""),
            policy,
        });
        [Layer {
            at: "policy".to_owned(),
            policy: self,
        }]
        .into_iter()
        .chain(own)
    }

    /// The smallest value of a clause that is an upper bound.
    fn least<T: Ord>(&self, agreement: &str, agreed: T, clause: impl Fn(&Self) -> Option<T>) -> T {
        self.layers(agreement)
            .filter_map(|layer| clause(layer.policy))
            .fold(agreed, Ord::min)
    }
}

impl Direction<'_> {
    /// Most subjects of the responder in a round, by the agreement and this node's policy.
    pub fn responder_subjects_max_under(&self, policy: &LocalPolicy) -> u64 {
        policy.least(
            self.agreement_id(),
            self.responder_subjects_max(),
            |layer| layer.responder_max_set,
        )
    }

    /// Most items that this node may release in one answer. The answer has `answer.max_release` places all the same.
    pub fn release_max(&self, policy: &LocalPolicy) -> u32 {
        policy.least(self.agreement_id(), self.answer().max_release, |layer| {
            layer.max_release
        })
    }

    /// Fields of the responder's records that may be released, in the agreement's order: none that its policy forbids.
    pub fn fields_on_match(&self, policy: &LocalPolicy) -> Vec<Field> {
        let forbidden = |field: &Field| {
            policy
                .layers(self.agreement_id())
                .any(|layer| layer.policy.forbidden_fields.contains(field))
        };
        let agreed = self.disclosure().fields_on_match.iter().copied();
        agreed.filter(|field| !forbidden(field)).collect()
    }

    /// Evaluations of a match key that the quota allows in its period; `None` for a key that the agreement lacks.
    pub fn evaluations_max(&self, policy: &LocalPolicy, match_key: &str) -> Option<u64> {
        let agreed = self.evaluations(match_key)?.count;
        Some(policy.least(self.agreement_id(), agreed, |layer| {
            layer.evaluations.get(match_key).copied()
        }))
    }
}

fn codes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let codes = Vec::<String>::deserialize(deserializer)?;
    match codes.iter().find(|code| !is_nationality(code)) {
        None => Ok(codes),
        Some(code) => Err(de::Error::custom(format!(
            "`{code}` is not an ISO 3166 code of two or three letters"
        ))),
    }
}

fn overrides<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, LocalPolicy>, D::Error> {
    let overrides = BTreeMap::<String, LocalPolicy>::deserialize(deserializer)?;
    for (id, policy) in &overrides {
        let misplaced = [
            (!policy.agreement.is_empty(), "agreement"),
            (
                policy.open_rounds_per_peer_max.is_some(),
                "open_rounds_per_peer_max",
            ),
        ];
        if let Some((_, key)) = misplaced.into_iter().find(|(present, _)| *present) {
            return Err(de::Error::custom(format!(
                "policy.agreement.\"{id}\".{key}: this key stands in [policy] only"
            )));
        }
    }
    Ok(overrides)
}
