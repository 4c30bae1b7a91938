//! Linkage rules: which match keys a subject has.

mod hash;
mod match_key;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use crate::field::Field;
use crate::transform::Transform;

pub use self::match_key::{DerivedKeys, MATCH_KEYS_PER_SUBJECT_MAX, MatchKey, key_types_present};

/// The one normalisation profile so far: the transforms of [`Transform`], without phonetics or document grammars.
pub const PROFILE: &str = "plain-1";
/// Raised with every change of a transform, a table or a placeholder list; part of [`LinkageRules::hash`].
pub const PROFILE_VERSION: u16 = 1;
/// Key types fit the bit masks of grading, and a round has a key and a quota for each.
pub const MATCH_KEY_RULES_MAX: usize = 32;
/// No composite key that names more fields would ever agree.
pub const FIELDS_PER_KEY_MAX: usize = 8;
/// A rule's id must fit a line of the review page.
const ID_BYTES_MAX: usize = 32;

/// How much the agreement of a match key says. Orders from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// A lead only.
    Weak,
    /// Names a few people.
    Medium,
    /// Names one person, or the holder of one document.
    Strong,
}

/// Whether a date of birth of 1 January counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DefaultDob {
    /// It is a placeholder: match keys with it do not exist, except with the transform `year`.
    #[default]
    Missing,
    /// It is a date like any other.
    Keep,
}

/// One `[[match_key]]` entry of an agreement.
///
/// ```toml
/// [[match_key]]
/// id = "name-dob"
/// fields = ["family_names", "given_names", "dob"]
/// transform = { family_names = "fold", given_names = "fold" }   # or one for all: "fold"; default "exact"
/// strength = "medium"                                           # strong, medium, weak
/// alone = true                                                  # its agreement alone is a hit; default false
/// bits = 30                                                     # min-entropy, for quotas; optional
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchKeyRule {
    /// Unique name, `[a-z0-9][a-z0-9+_-]{0,31}`.
    pub id: String,
    /// The fields, in the order of the canonical value.
    pub fields: Vec<Field>,
    /// What is done to their values.
    #[serde(default)]
    pub transform: Transforms,
    /// What its agreement says.
    pub strength: Strength,
    /// Whether its agreement alone is a hit.
    #[serde(default)]
    pub alone: bool,
    /// Min-entropy in bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<u16>,
}

/// The transforms of a rule: one for all its fields, or by field with `exact` for those not named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Transforms {
    /// One for all.
    All(Transform),
    /// By field.
    PerField(BTreeMap<Field, Transform>),
}

impl Transforms {
    /// The transform of one field.
    pub fn of(&self, field: Field) -> Transform {
        match self {
            Self::All(transform) => *transform,
            Self::PerField(by_field) => by_field.get(&field).copied().unwrap_or_default(),
        }
    }
}

impl Default for Transforms {
    fn default() -> Self {
        Self::All(Transform::default())
    }
}

impl<'de> Deserialize<'de> for Transforms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EitherForm;

        // By hand, because a derived untagged enum would answer a mistyped name with "did not match any variant".
        impl<'de> Visitor<'de> for EitherForm {
            type Value = Transforms;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a transform, or a table of field = transform")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Transforms, E> {
                Transform::deserialize(de::value::StrDeserializer::new(name)).map(Transforms::All)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Transforms, A::Error> {
                BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(Transforms::PerField)
            }
        }

        deserializer.deserialize_any(EitherForm)
    }
}

/// The linkage rules of an agreement, checked.
///
/// The position of a rule is its *key type*. In TOML: `profile`, `default_dob` and `[[match_key]]` entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RulesForm", into = "RulesForm")]
pub struct LinkageRules {
    profile: String,
    default_dob: DefaultDob,
    match_keys: Vec<MatchKeyRule>,
}

impl LinkageRules {
    /// Checks the parts.
    pub fn new(
        profile: impl Into<String>,
        default_dob: DefaultDob,
        match_keys: Vec<MatchKeyRule>,
    ) -> Result<Self, RulesError> {
        let profile = profile.into();
        if profile != PROFILE {
            return Err(RulesError::UnknownProfile { profile });
        }
        let count = match_keys.len();
        if !(1..=MATCH_KEY_RULES_MAX).contains(&count) {
            return Err(RulesError::MatchKeyCount { count });
        }
        let mut ids = BTreeSet::new();
        for rule in &match_keys {
            check_rule(rule)?;
            if !ids.insert(rule.id.as_str()) {
                return Err(RulesError::DuplicateId {
                    id: rule.id.clone(),
                });
            }
        }
        if count == 1 && !match_keys[0].alone {
            return Err(RulesError::NothingCanHit);
        }
        Ok(Self {
            profile,
            default_dob,
            match_keys,
        })
    }

    /// The normalisation profile.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// Whether 1 January counts.
    pub fn default_dob(&self) -> DefaultDob {
        self.default_dob
    }

    /// The rules, by key type.
    pub fn match_key_rules(&self) -> &[MatchKeyRule] {
        &self.match_keys
    }

    /// The rules of the key types in a mask, by key type; bits beyond the rules are ignored.
    pub fn rules_in(&self, key_types: u32) -> impl Iterator<Item = &MatchKeyRule> {
        let rules = self.match_keys.iter().enumerate();
        rules
            .filter(move |(key_type, _)| key_types & 1 << key_type != 0)
            .map(|(_, rule)| rule)
    }

    /// The rule of one key type.
    pub fn rule(&self, key_type: u8) -> Option<&MatchKeyRule> {
        self.match_keys.get(usize::from(key_type))
    }
}

fn check_rule(rule: &MatchKeyRule) -> Result<(), RulesError> {
    let id = || rule.id.clone();
    let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let further = |byte: u8| first(byte) || matches!(byte, b'+' | b'_' | b'-');
    let bytes = rule.id.as_bytes();
    if bytes.len() > ID_BYTES_MAX
        || !bytes.first().is_some_and(|byte| first(*byte))
        || !bytes.iter().all(|byte| further(*byte))
    {
        return Err(RulesError::InvalidId { id: id() });
    }
    if !(1..=FIELDS_PER_KEY_MAX).contains(&rule.fields.len()) {
        return Err(RulesError::FieldCount {
            id: id(),
            count: rule.fields.len(),
        });
    }
    for (index, field) in rule.fields.iter().enumerate() {
        if *field == Field::Ref {
            return Err(RulesError::RefField { id: id() });
        }
        if rule.fields[..index].contains(field) {
            return Err(RulesError::DuplicateField {
                id: id(),
                field: *field,
            });
        }
        if rule.transform.of(*field) == Transform::Year && *field != Field::Dob {
            return Err(RulesError::YearOfNoDate {
                id: id(),
                field: *field,
            });
        }
    }
    if let Transforms::PerField(by_field) = &rule.transform
        && let Some(field) = by_field.keys().find(|field| !rule.fields.contains(field))
    {
        return Err(RulesError::TransformOfOtherField {
            id: id(),
            field: *field,
        });
    }
    Ok(())
}

/// What is wrong with linkage rules; names the match key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// A profile that this version does not have.
    #[error("unknown linkage profile \"{profile}\"; this version has \"{PROFILE}\"")]
    UnknownProfile {
        /// The name as written.
        profile: String,
    },
    /// No match key, or too many.
    #[error("{count} match keys; there must be 1 to {MATCH_KEY_RULES_MAX}")]
    MatchKeyCount {
        /// How many there are.
        count: usize,
    },
    /// An id of another form.
    #[error(
        "match key id \"{id}\" must be 1 to {ID_BYTES_MAX} of a-z 0-9 + _ -, the first a letter or digit"
    )]
    InvalidId {
        /// The id as written.
        id: String,
    },
    /// One id for two match keys.
    #[error("match key id \"{id}\" is used twice")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// No field, or too many.
    #[error("match key \"{id}\" has {count} fields; it must have 1 to {FIELDS_PER_KEY_MAX}")]
    FieldCount {
        /// The match key.
        id: String,
        /// How many there are.
        count: usize,
    },
    /// The agency's own reference in a match key.
    #[error("match key \"{id}\" uses `ref`, which means nothing to the peer")]
    RefField {
        /// The match key.
        id: String,
    },
    /// One field twice.
    #[error("match key \"{id}\" names `{field}` twice")]
    DuplicateField {
        /// The match key.
        id: String,
        /// The field.
        field: Field,
    },
    /// `year` of something else than a date.
    #[error("match key \"{id}\": `year` applies to `dob`, not to `{field}`")]
    YearOfNoDate {
        /// The match key.
        id: String,
        /// The field.
        field: Field,
    },
    /// A transform for a field that the key does not have.
    #[error("match key \"{id}\" has a transform for `{field}`, which is not among its fields")]
    TransformOfOtherField {
        /// The match key.
        id: String,
        /// The field.
        field: Field,
    },
    /// A single match key that is not `alone`.
    #[error("nothing could ever be a hit: one match key must be `alone`, or there must be two")]
    NothingCanHit,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesForm {
    profile: String,
    #[serde(default)]
    default_dob: DefaultDob,
    match_key: Vec<MatchKeyRule>,
}

impl From<LinkageRules> for RulesForm {
    fn from(rules: LinkageRules) -> Self {
        Self {
            profile: rules.profile,
            default_dob: rules.default_dob,
            match_key: rules.match_keys,
        }
    }
}

impl TryFrom<RulesForm> for LinkageRules {
    type Error = RulesError;

    fn try_from(form: RulesForm) -> Result<Self, RulesError> {
        Self::new(form.profile, form.default_dob, form.match_key)
    }
}
