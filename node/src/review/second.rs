//! When one officer's release is not enough, and why.

use mandorla_agreement::{HitFacts, TwoPersonWhen};
use mandorla_linkage::{Field, Strength, Subject};

use crate::node::Node;
use crate::records::hit::HitRecord;
use crate::records::round::RoundRecord;
use crate::rounds::Ruled;

/// Fields that are about a document.
const DOCUMENT: [Field; 3] = [
    Field::DocumentNumber,
    Field::DocumentState,
    Field::DocumentType,
];

/// Fields that are names of the subject.
const NAMES: [Field; 4] = [
    Field::GivenNames,
    Field::FamilyNames,
    Field::FullName,
    Field::Aliases,
];

/// The first reason for which a second officer must release this hit, too.
pub(super) fn second_officer_needed(
    node: &Node,
    ruled: &Ruled,
    round: &RoundRecord,
    hit: &HitRecord,
    own: &Subject,
) -> Option<TwoPersonWhen> {
    let direction = ruled
        .agreement
        .direction(&ruled.requester, &ruled.responder)
        .ok()?;
    let facts = facts(ruled, round, hit, own);
    direction.second_officer_needed(&node.config.policy, &facts)
}

fn facts(ruled: &Ruled, round: &RoundRecord, hit: &HitRecord, own: &Subject) -> HitFacts {
    let rules = ruled.agreement.linkage_rules();
    let any = |types: u32, is: &dyn Fn(&mandorla_linkage::MatchKeyRule) -> bool| {
        rules.rules_in(types).any(is)
    };
    let of = |fields: &'static [Field]| {
        move |rule: &mandorla_linkage::MatchKeyRule| {
            rule.fields.iter().any(|field| fields.contains(field))
        }
    };
    let agreed = hit.agreed_types();
    let differ = hit.own_key_types & hit.peer_key_types & !agreed;
    HitFacts {
        over_max_overlap: round.over_max_overlap,
        grade: letter(&hit.grade),
        conflict: any(differ, &|rule| rule.strength == Strength::Strong),
        shared_document: any(agreed, &of(&DOCUMENT)) && !any(agreed, &of(&NAMES)),
        default_dob: own
            .values_of(Field::Dob)
            .iter()
            .any(|dob| dob.ends_with("-01-01")),
    }
}

/// The letter of a grade's name; one that is not known counts as the lowest.
fn letter(grade: &str) -> char {
    use mandorla_linkage::Grade;
    [
        Grade::Identity,
        Grade::Strong,
        Grade::Probable,
        Grade::Lead,
        Grade::Conflict,
    ]
    .into_iter()
    .find(|known| known.name() == grade)
    .map_or('?', Grade::letter)
}
