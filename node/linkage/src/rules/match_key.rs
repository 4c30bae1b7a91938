//! Deriving the match keys of a subject.

use std::fmt;

use super::{DefaultDob, LinkageRules, MatchKeyRule};
use crate::field::Field;
use crate::subject::Subject;

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
    /// Match keys beyond the limit.
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
    /// A field with several values gives a key for each combination; combinations of the values named first come first,
    /// and the key types take turns, so that the limit never leaves a key type without its first key.
    pub fn derive_keys(&self, subject: &Subject) -> DerivedKeys {
        let products: Vec<Product> = self
            .match_keys
            .iter()
            .map(|rule| Product::new(rule, subject, self.default_dob))
            .collect();
        let total = products
            .iter()
            .fold(0_u64, |sum, product| sum.saturating_add(product.count));
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

/// The combinations of the distinct canonical values of a rule's fields.
struct Product {
    values: Vec<Vec<String>>,
    count: u64,
}

impl Product {
    fn new(rule: &MatchKeyRule, subject: &Subject, default_dob: DefaultDob) -> Self {
        let values: Vec<Vec<String>> = rule
            .fields
            .iter()
            .map(|field| canonical_values(rule, *field, subject, default_dob))
            .collect();
        let count = values.iter().fold(1_u64, |product, values| {
            product.saturating_mul(values.len() as u64)
        });
        Self { values, count }
    }

    /// The combination of this number; the last field varies fastest.
    fn value(&self, mut number: u64) -> Vec<u8> {
        let mut chosen = Vec::with_capacity(self.values.len());
        for values in self.values.iter().rev() {
            let count = values.len() as u64;
            chosen.push(&values[(number % count) as usize]);
            number /= count;
        }
        let mut bytes = Vec::new();
        for value in chosen.into_iter().rev() {
            let length = u16::try_from(value.len()).expect("longer values have been left out");
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(value.as_bytes());
        }
        bytes
    }
}

fn canonical_values(
    rule: &MatchKeyRule,
    field: Field,
    subject: &Subject,
    default_dob: DefaultDob,
) -> Vec<String> {
    let transform = rule.transform.of(field);
    let mut distinct: Vec<String> = Vec::new();
    for value in subject.values_of(field) {
        if let Some(canonical) = transform.canonical(field, value, default_dob)
            && u16::try_from(canonical.len()).is_ok()
            && !distinct.contains(&canonical)
        {
            distinct.push(canonical);
        }
    }
    distinct
}
