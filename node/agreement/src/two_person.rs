//! When one officer's release is not enough.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Direction, LocalPolicy};

/// A reason for which a second officer must release, too. The words of `review.<PARTY>.two_person_when` and of a node's
/// policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TwoPersonWhen {
    /// Every release.
    Always,
    /// The round found more hits than `result.max_overlap`. Holds in every agreement, written or not.
    OverMaxOverlap,
    /// The hit's grade is C or D.
    GradeBelowB,
    /// A strong match key that both subjects have differs.
    Conflict,
    /// A document agrees and no match key with a name does: the document may have been lent.
    SharedDocument,
    /// The own subject's date of birth is 1 January, which is often a placeholder.
    DefaultDob,
}

/// What the responder knows of one hit, as far as it decides how many officers are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts, one for each word that a hit can fall under"
)]
pub struct HitFacts {
    /// The round found more hits than `result.max_overlap`.
    pub over_max_overlap: bool,
    /// Letter of the grade: A to D, or X for a conflict. Any other counts as below B.
    pub grade: char,
    /// A strong match key that both subjects have differs.
    pub conflict: bool,
    /// A match key with a document agrees, and none with a name.
    pub shared_document: bool,
    /// The own subject has a date of birth of 1 January.
    pub default_dob: bool,
}

impl TwoPersonWhen {
    /// Every word, in the order in which reasons are named.
    pub const ALL: [Self; 6] = [
        Self::Always,
        Self::OverMaxOverlap,
        Self::GradeBelowB,
        Self::Conflict,
        Self::SharedDocument,
        Self::DefaultDob,
    ];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::OverMaxOverlap => "over-max-overlap",
            Self::GradeBelowB => "grade-below-b",
            Self::Conflict => "conflict",
            Self::SharedDocument => "shared-document",
            Self::DefaultDob => "default-dob",
        }
    }

    /// The reason in words that follow "a second officer releases, too".
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::OverMaxOverlap => "where a round has more hits than the agreement's max_overlap",
            Self::GradeBelowB => "where the grade is below B",
            Self::Conflict => "where a strong match key of the two subjects differs",
            Self::SharedDocument => "where a document agrees and no name does",
            Self::DefaultDob => "where the date of birth is 1 January",
        }
    }

    /// Whether it holds for this hit.
    pub const fn holds(self, hit: &HitFacts) -> bool {
        match self {
            Self::Always => true,
            Self::OverMaxOverlap => hit.over_max_overlap,
            Self::GradeBelowB => !matches!(hit.grade, 'A' | 'B' | 'X'),
            Self::Conflict => hit.conflict || hit.grade == 'X',
            Self::SharedDocument => hit.shared_document,
            Self::DefaultDob => hit.default_dob,
        }
    }
}

impl fmt::Display for TwoPersonWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Direction<'_> {
    /// When the responder needs a second officer: what its part of the agreement says, what its own policy adds, and
    /// always [`TwoPersonWhen::OverMaxOverlap`].
    pub fn two_person_when(&self, policy: &LocalPolicy) -> BTreeSet<TwoPersonWhen> {
        let agreed = self.responder_review().two_person_when.iter().copied();
        let local = policy
            .layers(self.agreement_id())
            .flat_map(|layer| layer.policy.two_person_when.iter().copied());
        [TwoPersonWhen::OverMaxOverlap]
            .into_iter()
            .chain(agreed)
            .chain(local)
            .collect()
    }

    /// The first reason for which this hit needs a second officer before it is released; `None` if one is enough.
    pub fn second_officer_needed(
        &self,
        policy: &LocalPolicy,
        hit: &HitFacts,
    ) -> Option<TwoPersonWhen> {
        self.two_person_when(policy)
            .into_iter()
            .find(|reason| reason.holds(hit))
    }
}
