//! Grades: what the agreement of match keys says about two subjects.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::field::Field;
use crate::rules::{LinkageRules, MatchKeyRule, Strength};
use crate::transform::Transform;

/// The grade of a pair of subjects that is a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// A: a strong match key agrees, and at least one other.
    Identity,
    /// B: a strong match key alone, or two or more of medium strength.
    Strong,
    /// C: one match key of medium strength, with or without weak ones.
    Probable,
    /// D: weak match keys only.
    Lead,
    /// X: a strong match key that both subjects have differs while others agree; stands above every other grade.
    Conflict,
}

impl Grade {
    /// The letter on the review page.
    pub const fn letter(self) -> char {
        match self {
            Self::Identity => 'A',
            Self::Strong => 'B',
            Self::Probable => 'C',
            Self::Lead => 'D',
            Self::Conflict => 'X',
        }
    }

    /// The name in commands and exports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Strong => "strong",
            Self::Probable => "probable",
            Self::Lead => "lead",
            Self::Conflict => "conflict",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Grades a pair of subjects; `None` if it is no hit.
///
/// `agreed`, `own_present` and `peer_present` are masks over key types: those in which the two have a match key in
/// common, and those of which each has any. A pair is a hit if an agreed key type is `alone`, or if two key types
/// agree. Bits beyond the rules are ignored.
pub fn grade(
    rules: &LinkageRules,
    agreed: u32,
    own_present: u32,
    peer_present: u32,
) -> Option<Grade> {
    let [weak, medium, strong] = [Strength::Weak, Strength::Medium, Strength::Strong]
        .map(|strength| mask(rules, |rule| rule.strength == strength));
    let alone = mask(rules, |rule| rule.alone);
    let agreed = agreed & (weak | medium | strong);
    if agreed & alone == 0 && agreed.count_ones() < 2 {
        return None;
    }
    let differs = strong & own_present & peer_present & !agreed;
    Some(if differs != 0 {
        Grade::Conflict
    } else if agreed & strong != 0 {
        if agreed.count_ones() > 1 {
            Grade::Identity
        } else {
            Grade::Strong
        }
    } else {
        match (agreed & medium).count_ones() {
            0 => Grade::Lead,
            1 => Grade::Probable,
            _ => Grade::Strong,
        }
    })
}

/// The agreed rules in plain words, one line per match key; names rules and fields, never values.
pub fn explain(rules: &LinkageRules, agreed: u32) -> Vec<String> {
    rules
        .rules_in(agreed)
        .map(|rule| format!("{}: {}", rule.id, explain_rule(rule)))
        .collect()
}

fn mask(rules: &LinkageRules, wanted: impl Fn(&MatchKeyRule) -> bool) -> u32 {
    rules
        .match_key_rules()
        .iter()
        .enumerate()
        .filter(|(_, rule)| wanted(rule))
        .fold(0, |mask, (key_type, _)| mask | 1 << key_type)
}

fn explain_rule(rule: &MatchKeyRule) -> String {
    let mut groups: Vec<(Transform, Vec<Field>)> = Vec::new();
    for field in &rule.fields {
        let transform = rule.transform.of(*field);
        match groups.iter_mut().find(|(known, _)| *known == transform) {
            Some((_, fields)) => fields.push(*field),
            None => groups.push((transform, vec![*field])),
        }
    }
    let phrases: Vec<String> = groups
        .iter()
        .map(|(transform, fields)| phrase(*transform, fields))
        .collect();
    phrases.join("; ")
}

fn phrase(transform: Transform, fields: &[Field]) -> String {
    let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
    let (last, others) = names.split_last().expect("a group has a field");
    let subject = if others.is_empty() {
        (*last).to_owned()
    } else {
        format!("{} and {last}", others.join(", "))
    };
    let one = others.is_empty();
    let (are, agree) = if one {
        ("is", "agrees")
    } else {
        ("are", "agree")
    };
    match transform {
        Transform::Exact => format!("{subject} {are} equal"),
        Transform::Fold => format!("{subject} {agree} after folding"),
        Transform::Digits => format!("{subject} {agree} in the digits"),
        Transform::Year => format!("{subject} {agree} in the year"),
        Transform::SortedTokens => {
            format!("{subject} {agree} after folding, in any order of the words")
        }
    }
}
