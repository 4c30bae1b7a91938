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

    /// What it is for, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Operator => {
                "Installs, pairs, loads, watches health; decides nothing and sees no hits."
            }
            Self::Analyst => {
                "Plans, proposes and follows rounds; sees the hits that peers released."
            }
            Self::Authoriser => {
                "Approves outgoing rounds and decides on hits; never on their own proposal."
            }
            Self::Auditor => "Reads everything, decides nothing.",
        }
    }

    /// Whether nobody may hold both: who decides does not audit (Directive 2016/680, article 34; UK DPA 2018, section
    /// 70(3): a data-protection officer has no task that conflicts).
    pub fn excludes(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Auditor, Self::Authoriser) | (Self::Authoriser, Self::Auditor)
        )
    }

    /// The first two of these roles that exclude each other.
    pub fn conflict(roles: &[Self]) -> Option<(Self, Self)> {
        roles.iter().enumerate().find_map(|(at, &one)| {
            let other = roles[at + 1..].iter().find(|other| one.excludes(**other));
            other.map(|&other| (one, other))
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_audits_and_who_decides_exclude_each_other() {
        use Role::{Analyst, Auditor, Authoriser, Operator};
        assert_eq!(
            Role::conflict(&[Auditor, Operator, Authoriser]),
            Some((Auditor, Authoriser))
        );
        assert_eq!(
            Role::conflict(&[Authoriser, Auditor]),
            Some((Authoriser, Auditor))
        );
        for fine in [
            &[Operator, Analyst, Authoriser][..],
            &[Operator, Analyst, Auditor],
            &[Auditor],
            &[],
        ] {
            assert_eq!(Role::conflict(fine), None, "{fine:?}");
        }
    }

    #[test]
    fn every_role_is_read_as_it_is_written() {
        for role in Role::ALL {
            assert_eq!(role.word().parse(), Ok(role));
        }
        assert!("boss".parse::<Role>().unwrap_err().contains("auditor"));
    }
}
