//! The operations on batches, each dispatched to the level that was chosen.

use curve25519_dalek::ristretto::RistrettoPoint;

use crate::hash_to_group::Expander;
use crate::points::decode_all;
use crate::{
    BadElement, Blind, Element, EvaluationKey, Level, LevelError, Points, PublicKeyTable,
    VerifiedPoints, scalar,
};

/// The environment variable that lowers the level: the name of a [`Level`]. It never raises it.
pub const KERNEL_ENV: &str = "MANDORLA_KERNEL";

/// Batch operations at one level. Chosen once, copied everywhere; a value exists only if this processor
/// has the instructions of its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    level: Level,
}

impl Kernel {
    /// The highest level this processor has, or the lower one that `MANDORLA_KERNEL` names.
    ///
    /// # Errors
    /// The variable names no level, or one that this processor lacks: a silent fallback would make a
    /// report of the level a lie.
    pub fn detect() -> Result<Self, LevelError> {
        match std::env::var_os(KERNEL_ENV) {
            None => Ok(Self::highest()),
            Some(name) => Self::named(&name.to_string_lossy()),
        }
    }

    fn named(name: &str) -> Result<Self, LevelError> {
        let level: Level = name.parse()?;
        Self::at(level).ok_or(LevelError::Unavailable {
            level,
            highest: Self::highest().level,
        })
    }

    fn highest() -> Self {
        Self::levels_available()
            .last()
            .and_then(|level| Self::at(*level))
            .expect("every processor has level scalar")
    }

    /// The kernel at a level, if this processor has its instructions.
    pub fn at(level: Level) -> Option<Self> {
        level.is_available().then_some(Self { level })
    }

    /// The levels that this processor has, in ascending order. Never empty.
    pub fn levels_available() -> Vec<Level> {
        let all = Level::ALL.iter().copied();
        all.filter(|level| level.is_available()).collect()
    }

    /// The level of this kernel.
    pub fn level(self) -> Level {
        self.level
    }

    /// Decodes a batch of elements.
    ///
    /// # Errors
    /// The position of the first element that is not canonical, not in the group, or the identity.
    pub fn decode(&self, elements: &[Element]) -> Result<Points, BadElement> {
        match self.level {
            Level::Scalar => decode_all(elements),
        }
    }

    /// Blinds a batch of inputs: `N = H(x) + r·G` with `H` of [`hash_to_group`](crate::hash_to_group),
    /// as points and as the elements to send. A blind must never serve two different inputs.
    ///
    /// # Panics
    /// If there are not as many blinds as inputs, or `dst` is empty.
    pub fn blind(&self, dst: &[u8], inputs: &[&[u8]], blinds: &[Blind]) -> (Points, Vec<Element>) {
        assert_eq!(inputs.len(), blinds.len(), "one blind for each input");
        let expander = expander(dst);
        match self.level {
            Level::Scalar => {
                let points = scalar::blind(&expander, inputs, blinds);
                let elements = scalar::encode(&points);
                (Points::from_points(points), elements)
            }
        }
    }

    /// Evaluates a batch: the encodings of `k·N`, in constant time in `k`.
    pub fn evaluate(&self, key: &EvaluationKey, points: &Points) -> Vec<Element> {
        match self.level {
            Level::Scalar => scalar::evaluate(key.half(), points.as_points()),
        }
    }

    /// Derives the values of the key holder's own inputs: the encodings of `k·H(x)`, which are secret.
    ///
    /// # Panics
    /// If `dst` is empty.
    pub fn derive(&self, key: &EvaluationKey, dst: &[u8], inputs: &[&[u8]]) -> Vec<Element> {
        let expander = expander(dst);
        match self.level {
            Level::Scalar => scalar::derive(key.half(), &expander, inputs),
        }
    }

    /// Unblinds verified evaluations: the encodings of `E − r·K = k·H(x)`, which are secret.
    ///
    /// # Panics
    /// If there are not as many blinds as evaluations, or the table is of another public key than the
    /// one the evaluations were verified under.
    pub fn unblind(
        &self,
        table: &PublicKeyTable,
        evaluated: &VerifiedPoints,
        blinds: &[Blind],
    ) -> Vec<Element> {
        assert_eq!(
            evaluated.len(),
            blinds.len(),
            "one blind for each evaluation"
        );
        assert_eq!(
            evaluated.public(),
            table.public(),
            "the table of the key that was verified"
        );
        match self.level {
            Level::Scalar => scalar::unblind(table, evaluated.as_points(), blinds),
        }
    }

    /// `Σ dᵢ·Pᵢ` over public values, in variable time.
    pub(crate) fn weighted_sum_vartime(
        self,
        coefficients: &[u128],
        points: &Points,
    ) -> RistrettoPoint {
        debug_assert_eq!(coefficients.len(), points.len());
        match self.level {
            Level::Scalar => scalar::weighted_sum_vartime(coefficients, points.as_points()),
        }
    }
}

fn expander(dst: &[u8]) -> Expander {
    Expander::new(dst).expect("a domain separation tag is never empty")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_named_by_the_levels_that_are_available_and_by_nothing_else() {
        for level in Kernel::levels_available() {
            assert_eq!(Kernel::named(level.name()).unwrap().level(), level);
        }
        for name in ["", "Scalar", "scalar ", "avx9000"] {
            let error = Kernel::named(name).unwrap_err();
            assert_eq!(error, LevelError::Unknown { name: name.into() });
        }
    }

    #[test]
    fn the_highest_level_is_the_last_available() {
        let levels = Kernel::levels_available();
        assert!(levels.is_sorted());
        assert_eq!(levels.first(), Some(&Level::Scalar));
        assert_eq!(Some(&Kernel::highest().level()), levels.last());
    }
}
