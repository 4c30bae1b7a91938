//! Deriving the match keys of a subject.

use std::fmt;

use super::{DefaultDob, LinkageRules, MatchKeyRule};
use crate::field::{Field, Group};
use crate::subject::{Subject, Tuple};

/// A subject with many aliases must not flood a round; the product of its values is cut here.
pub const MATCH_KEYS_PER_SUBJECT_MAX: usize = 64;

/// A match key: what is blinded, evaluated and compared.
///
/// `Debug` shows the key type and the length only: the value is a person's data in the clear.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatchKey {
    /// Position of the rule in the linkage rules.
    pub key_type: u8,
    /// Per field of the rule, in its order: length in bytes as u16 little-endian, then the canonical value in UTF-8.
    pub value: Vec<u8>,
}

impl fmt::Debug for MatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatchKey")
            .field("key_type", &self.key_type)
            .field("value_bytes", &self.value.len())
            .finish_non_exhaustive()
    }
}

/// The match keys of one subject, and how many were left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedKeys {
    /// At most [`MATCH_KEYS_PER_SUBJECT_MAX`], each once, ascending by key type.
    pub keys: Vec<MatchKey>,
    /// Match keys beyond the limit; where a subject has more than the limit of one type, repeated ones among the rest
    /// count too.
    pub cut_count: u64,
}

/// Bit mask of the key types present: bit *i* for key type *i*.
pub fn key_types_present(keys: &[MatchKey]) -> u32 {
    keys.iter().fold(0, |mask, key| mask | 1 << key.key_type)
}

impl LinkageRules {
    /// The match keys of a subject: each once, ascending by key type, at most [`MATCH_KEYS_PER_SUBJECT_MAX`].
    pub fn match_keys(&self, subject: &Subject) -> Vec<MatchKey> {
        self.derive_keys(subject).keys
    }

    /// The match keys of a subject, and how many the limit cut.
    ///
    /// Fields of one [`Group`] come from one identity, one document, one address: a document's number never meets the
    /// state of another. Each such tuple gives a key, and a field with several values in it one for each. Those named
    /// first come first, and the key types take turns, so that the limit never leaves a key type without its first key.
    pub fn derive_keys(&self, subject: &Subject) -> DerivedKeys {
        let products: Vec<Product> = self
            .match_keys
            .iter()
            .map(|rule| Product::new(rule, subject, self.default_dob))
            .collect();
        let total = products
            .iter()
            .fold(0_u64, |sum, product| sum.saturating_add(product.total));
        let mut keys = Vec::new();
        let mut turn = 0;
        let turns = products
            .iter()
            .map(|product| product.count)
            .max()
            .unwrap_or(0);
        'full: while turn < turns {
            for (key_type, product) in products
                .iter()
                .enumerate()
                .filter(|(_, product)| turn < product.count)
            {
                if keys.len() == MATCH_KEYS_PER_SUBJECT_MAX {
                    break 'full;
                }
                keys.push(MatchKey {
                    key_type: key_type as u8,
                    value: product.value(turn),
                });
            }
            turn += 1;
        }
        keys.sort_by_key(|key| key.key_type);
        let cut_count = total - keys.len() as u64;
        DerivedKeys { keys, cut_count }
    }
}

/// The combinations that give a rule's match keys: one tuple of each group that its fields belong to.
struct Product {
    parts: Vec<Part>,
    /// Combinations that [`value`](Self::value) gives.
    count: u64,
    /// All combinations.
    total: u64,
}

/// What a group contributes: the fields of a document keep together, whatever other documents there are.
struct Part {
    /// Where its fields stand in the rule.
    places: Vec<usize>,
    /// Distinct values in the order of `places`, at most as many as a subject has match keys.
    choices: Vec<Vec<String>>,
    /// Further ones, not looked at.
    unseen: u64,
}

impl Product {
    fn new(rule: &MatchKeyRule, subject: &Subject, default_dob: DefaultDob) -> Self {
        let mut groups: Vec<(Group, Vec<usize>)> = Vec::new();
        for (place, field) in rule.fields.iter().enumerate() {
            match groups.iter_mut().find(|(group, _)| *group == field.group()) {
                Some((_, places)) => places.push(place),
                None => groups.push((field.group(), vec![place])),
            }
        }
        let parts: Vec<Part> = groups
            .into_iter()
            .map(|(group, places)| Part::new(rule, places, subject.tuples_of(group), default_dob))
            .collect();
        let product = |of: fn(&Part) -> u64| {
            parts
                .iter()
                .fold(1_u64, |product, part| product.saturating_mul(of(part)))
        };
        Self {
            count: product(|part| part.choices.len() as u64),
            total: product(|part| part.choices.len() as u64 + part.unseen),
            parts,
        }
    }

    /// The combination of this number; the last group varies fastest.
    fn value(&self, mut number: u64) -> Vec<u8> {
        let mut chosen: Vec<(usize, &String)> = Vec::new();
        for part in self.parts.iter().rev() {
            let count = part.choices.len() as u64;
            let choice = &part.choices[(number % count) as usize];
            chosen.extend(part.places.iter().copied().zip(choice));
            number /= count;
        }
        chosen.sort_unstable_by_key(|(place, _)| *place);
        let mut bytes = Vec::new();
        for (_, value) in chosen {
            let length = u16::try_from(value.len()).expect("longer values have been left out");
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(value.as_bytes());
        }
        bytes
    }
}

impl Part {
    fn new(
        rule: &MatchKeyRule,
        places: Vec<usize>,
        tuples: &[Tuple],
        default_dob: DefaultDob,
    ) -> Self {
        let mut choices: Vec<Vec<String>> = Vec::new();
        let mut unseen = 0_u64;
        for tuple in tuples {
            let values: Vec<Vec<String>> = places
                .iter()
                .map(|place| canonical_values(rule, rule.fields[*place], tuple, default_dob))
                .collect();
            let count = values.iter().fold(1_u64, |product, values| {
                product.saturating_mul(values.len() as u64)
            });
            let mut seen = 0;
            // Within a tuple no two combinations are equal, so this ends after twice the limit.
            while seen < count && choices.len() < MATCH_KEYS_PER_SUBJECT_MAX {
                let choice = combination(&values, seen);
                if !choices.contains(&choice) {
                    choices.push(choice);
                }
                seen += 1;
            }
            unseen = unseen.saturating_add(count - seen);
        }
        Self {
            places,
            choices,
            unseen,
        }
    }
}

/// The combination of this number; the last field varies fastest.
fn combination(values: &[Vec<String>], mut number: u64) -> Vec<String> {
    let mut chosen = Vec::with_capacity(values.len());
    for values in values.iter().rev() {
        let count = values.len() as u64;
        chosen.push(values[(number % count) as usize].clone());
        number /= count;
    }
    chosen.reverse();
    chosen
}

fn canonical_values(
    rule: &MatchKeyRule,
    field: Field,
    tuple: &Tuple,
    default_dob: DefaultDob,
) -> Vec<String> {
    let transform = rule.transform.of(field);
    let mut distinct: Vec<String> = Vec::new();
    for value in tuple.get(&field).into_iter().flatten() {
        if let Some(canonical) = transform.canonical(field, value, default_dob)
            && u16::try_from(canonical.len()).is_ok()
            && !distinct.contains(&canonical)
        {
            distinct.push(canonical);
        }
    }
    distinct
}
