//! Who may do what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A role on a node. One person never proposes and approves the same round, and an auditor never decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Installs, pairs, loads, watches health.
    Operator,
    /// Plans, proposes and follows rounds.
    Analyst,
    /// Approves outgoing rounds, decides on hits.
    Authoriser,
    /// Reads everything, decides nothing.
    Auditor,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [
        Self::Operator,
        Self::Analyst,
        Self::Authoriser,
        Self::Auditor,
    ];

    /// The word in configuration, messages and the ledger.
    pub fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Analyst => "analyst",
            Self::Authoriser => "authoriser",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.word() == word)
            .ok_or_else(|| {
                format!("unknown role {word:?}; roles are operator, analyst, authoriser, auditor")
            })
    }
}
