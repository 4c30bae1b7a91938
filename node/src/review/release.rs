//! What leaves with a hit: the agreed fields less the dropped ones, and only match keys made from what leaves.

use std::collections::BTreeMap;

use mandorla_agreement::{Agreement, LocalPolicy};
use mandorla_linkage::{Field, Grade, LinkageRules, Subject, explain, grade};
use mandorla_protocol::{HitKey, Package};

use crate::records::hit::HitRecord;
use crate::rounds::Ruled;

/// A release as it would leave.
pub(super) struct Draft {
    pub fields: Vec<(Field, Vec<String>)>,
    pub proven: Vec<(u8, HitKey)>,
    pub grade: Option<Grade>,
    pub package: Package,
    /// Ids of match keys that agree and are not named, because a field of theirs stays.
    pub kept_back: Vec<String>,
}

impl Draft {
    pub(super) fn proven_types(&self) -> u32 {
        self.proven
            .iter()
            .fold(0, |mask, (key_type, _)| mask | 1 << key_type)
    }
}

/// The fields that the agreement and the node's policy let the requester have and that this subject has values for.
pub(super) fn releasable(
    policy: &LocalPolicy,
    ruled: &Ruled,
    subject: &Subject,
) -> Vec<(Field, Vec<String>)> {
    let direction = ruled
        .agreement
        .direction(&ruled.requester, &ruled.responder);
    let Ok(direction) = direction else {
        return Vec::new();
    };
    let forbidden = &direction.disclosure().forbidden_fields;
    direction
        .fields_on_match(policy)
        .into_iter()
        .filter(|field| !forbidden.contains(field))
        .map(|field| (field, subject.values_of(field)))
        .filter(|(_, values)| !values.is_empty())
        .collect()
}

/// Drafts a release without some fields.
pub(super) fn draft(
    agreement: &Agreement,
    hit: &HitRecord,
    mut fields: Vec<(Field, Vec<String>)>,
    dropped: &[Field],
) -> Draft {
    fields.retain(|(field, _)| !dropped.contains(field));
    let rules = agreement.linkage_rules();
    let leaves = |key_type: u8| {
        let rule = rules.rule(key_type);
        rule.is_some_and(|rule| {
            rule.fields
                .iter()
                .all(|wanted| fields.iter().any(|(field, _)| field == wanted))
        })
    };
    // One proof per type, for the bytewise smallest of its match keys that agree.
    let mut smallest: BTreeMap<u8, (&str, &str)> = BTreeMap::new();
    for agreed in hit.agreed.iter().filter(|agreed| leaves(agreed.key_type)) {
        let candidate = (agreed.match_key.as_str(), agreed.hit_key.as_str());
        let entry = smallest.entry(agreed.key_type).or_insert(candidate);
        *entry = (*entry).min(candidate);
    }
    let proven: Vec<(u8, HitKey)> = smallest
        .iter()
        .filter_map(|(&key_type, (_, hit_key))| Some((key_type, hit_key_of(hit_key)?)))
        .collect();
    let proven_types = proven
        .iter()
        .fold(0_u32, |mask, (key_type, _)| mask | 1 << key_type);
    let conflicting_types = conflicting(rules, hit, leaves);
    let present = proven_types | conflicting_types;
    let package = Package {
        fields: fields
            .iter()
            .map(|(field, values)| (field.to_string(), values.clone()))
            .collect(),
        conflicting_types,
        handling: agreement.terms().handling.default_code.clone(),
    };
    let kept_back = rules.rules_in(hit.agreed_types() & !proven_types);
    let kept_back = kept_back.map(|rule| rule.id.clone()).collect();
    Draft {
        fields,
        proven,
        grade: grade(rules, proven_types, present, present),
        package,
        kept_back,
    }
}

/// Key types that both subjects have and that disagree, as far as their fields leave.
fn conflicting(rules: &LinkageRules, hit: &HitRecord, leaves: impl Fn(u8) -> bool) -> u32 {
    let differ = hit.own_key_types & hit.peer_key_types & !hit.agreed_types();
    (0..32_u8)
        .filter(|&key_type| {
            differ & 1 << key_type != 0 && rules.rule(key_type).is_some() && leaves(key_type)
        })
        .fold(0, |mask, key_type| mask | 1 << key_type)
}

fn hit_key_of(text: &str) -> Option<HitKey> {
    let mut key = [0; 32];
    hex::decode_to_slice(text, &mut key).ok()?;
    Some(HitKey::from_bytes(key))
}

/// What agreed in a hit, in words that name rules and fields, with what differs.
pub(super) fn evidence(rules: &LinkageRules, hit: &HitRecord) -> Vec<String> {
    let mut lines = explain(rules, hit.agreed_types());
    let differ = hit.own_key_types & hit.peer_key_types & !hit.agreed_types();
    for rule in rules.rules_in(differ) {
        lines.push(format!("{}: both have it, and it differs", rule.id));
    }
    lines
}
