//! Levels of instructions, from the one that every processor has upwards.

use std::fmt;
use std::str::FromStr;

use crate::LevelError;

/// The instructions a kernel uses, in ascending order of speed. All levels compute the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Level {
    /// One element at a time with curve25519-dalek: every processor.
    Scalar,
}

impl Level {
    /// Every level of this build, in ascending order, whether or not this processor can run it.
    pub const ALL: &'static [Level] = &[Level::Scalar];

    /// The name used in `MANDORLA_KERNEL`, in reports and in benchmarks.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Scalar => "scalar",
        }
    }

    /// Whether this processor has the instructions.
    pub(crate) const fn is_available(self) -> bool {
        match self {
            Level::Scalar => true,
        }
    }

    pub(crate) fn names() -> String {
        let names: Vec<&str> = Self::ALL.iter().map(|level| level.name()).collect();
        names.join(", ")
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(name: &str) -> Result<Self, LevelError> {
        Self::ALL
            .iter()
            .copied()
            .find(|level| level.name() == name)
            .ok_or_else(|| LevelError::Unknown {
                name: name.to_owned(),
            })
    }
}
