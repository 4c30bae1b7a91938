//! People who must never be asked about.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A property of a subject for which an agreement's scope, or the node's own policy, keeps the subject out of a round.
///
/// The words stand in map files (`[exclude]`), agreements (`scope.exclude`), load reports and the ledger. The order is
/// that of the bits in a subject's stored form: new words are appended, and a bit is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
#[repr(u8)]
pub enum Exclusion {
    /// The subject has claimed asylum.
    AsylumClaim = 0,
    /// The subject is, or may be, under 18.
    Minor = 1,
    /// The subject was, or may have been, trafficked.
    TraffickingVictim = 2,
    /// The subject disputes the record, and the dispute is not settled.
    ContestedRecord = 3,
}

impl Exclusion {
    /// Every word.
    pub const ALL: &[Self] = &[
        Self::AsylumClaim,
        Self::Minor,
        Self::TraffickingVictim,
        Self::ContestedRecord,
    ];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::AsylumClaim => "asylum_claim",
            Self::Minor => "minor",
            Self::TraffickingVictim => "trafficking_victim",
            Self::ContestedRecord => "contested_record",
        }
    }

    /// The bit in stored forms.
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl From<Exclusion> for &'static str {
    fn from(exclusion: Exclusion) -> Self {
        exclusion.word()
    }
}

impl FromStr for Exclusion {
    type Err = UnknownExclusion;

    fn from_str(word: &str) -> Result<Self, UnknownExclusion> {
        Self::ALL
            .iter()
            .copied()
            .find(|exclusion| exclusion.word() == word)
            .ok_or_else(|| UnknownExclusion {
                word: word.to_owned(),
            })
    }
}

impl TryFrom<String> for Exclusion {
    type Error = UnknownExclusion;

    fn try_from(word: String) -> Result<Self, UnknownExclusion> {
        word.parse()
    }
}

/// A word that names no exclusion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown exclusion `{word}`; the words are asylum_claim, minor, trafficking_victim and contested_record"
)]
pub struct UnknownExclusion {
    /// The word as written.
    pub word: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back_and_the_refusal_of_another_lists_them_all() {
        let refusal = "refugee".parse::<Exclusion>().unwrap_err().to_string();
        for exclusion in Exclusion::ALL {
            let word = exclusion.to_string();
            assert_eq!(word.parse::<Exclusion>().unwrap(), *exclusion);
            let json = serde_json::to_string(exclusion).unwrap();
            assert_eq!(json, format!("\"{word}\""));
            assert_eq!(
                serde_json::from_str::<Exclusion>(&json).unwrap(),
                *exclusion
            );
            assert!(refusal.contains(&word), "{refusal}");
        }
        assert!("Minor".parse::<Exclusion>().is_err());
    }

    #[test]
    fn every_exclusion_has_a_bit_of_its_own() {
        let bits = Exclusion::ALL.iter().fold(0, |bits, exclusion| {
            assert_eq!(bits & exclusion.bit(), 0);
            bits | exclusion.bit()
        });
        assert_eq!(bits.count_ones() as usize, Exclusion::ALL.len());
    }
}
