//! What a match key does to one value of one field.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::date::Date;
use crate::field::Field;
use crate::fold::{decimal_digits, fold, fold_tokens, is_placeholder};
use crate::rules::DefaultDob;

/// How a value becomes canonical. Every transform but `Year` is idempotent; a placeholder has no canonical
/// form.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Transform {
    /// Trimmed, NFC, inner white space squeezed to one space; otherwise the bytes as given.
    #[default]
    Exact,
    /// The whole-name [`fold`](crate::fold): script, case, marks, spaces and common respellings do not count.
    Fold,
    /// Decimal digits only, whatever their script, as ASCII.
    Digits,
    /// The year of a date of birth.
    Year,
    /// The folded tokens in sorted order, so that their order does not count.
    SortedTokens,
}

impl Transform {
    /// The name in agreements.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Fold => "fold",
            Self::Digits => "digits",
            Self::Year => "year",
            Self::SortedTokens => "sorted-tokens",
        }
    }

    /// The canonical form of a value of `field`; `None` means that a match key with it does not exist.
    pub(crate) fn canonical(
        self,
        field: Field,
        value: &str,
        default_dob: DefaultDob,
    ) -> Option<String> {
        if is_placeholder(value) {
            return None;
        }
        if field == Field::Dob {
            let date = Date::from_iso(value)?;
            // A default date says nothing about day and month, but its year was usually asked for.
            if default_dob == DefaultDob::Missing
                && date.is_first_of_january()
                && self != Self::Year
            {
                return None;
            }
        }
        match self {
            Self::Exact => exact(value),
            Self::Fold => fold(value),
            Self::Digits => decimal_digits(value),
            Self::Year => Some(format!("{:04}", Date::from_iso(value)?.year)),
            Self::SortedTokens => fold_tokens(value),
        }
        .filter(|canonical| !is_placeholder(canonical))
    }
}

fn exact(value: &str) -> Option<String> {
    let composed: String = value.nfc().collect();
    let words: Vec<&str> = composed.split_whitespace().collect();
    Some(words.join(" ")).filter(|joined| !joined.is_empty())
}
