//! What is known about a round before it happens, and why it may not.

use std::fmt;

use mandorla_linkage::Field;

use crate::State;
use crate::direction::class_log2;
use crate::terms::ResultMode;

/// A round as one node sees it before anything is sent or accepted.
#[derive(Debug, Clone)]
pub struct Proposal<'a> {
    /// Where the agreement stands on this node.
    pub state: State,
    /// Purpose code.
    pub purpose: &'a str,
    /// Whether a case reference is given (on the requester), or committed to (on the responder).
    pub case_reference_given: bool,
    /// Life of the keys.
    pub mode: ResultMode,
    /// Answer slots in seconds after the question.
    pub slots_s: &'a [u64],
    /// The asking side's set.
    pub requester: SetFacts<'a>,
    /// The asked side's set.
    pub responder: SetFacts<'a>,
    /// Size class of the question's cells, once known.
    pub cells_class: Option<u8>,
    /// Per match key, what the round would evaluate, once known; empty in a plan.
    pub evaluations: &'a [Evaluations<'a>],
}

/// One side's set.
#[derive(Debug, Clone, Copy)]
pub struct SetFacts<'a> {
    /// Dataset, as its owner names it.
    pub dataset: &'a str,
    /// Its size, as far as this node knows.
    pub size: SetSize,
    /// When it was loaded, where this node knows (its own set).
    pub loaded_at_s: Option<u64>,
    /// The fields that it has, where this node knows (its own set).
    pub fields: Option<&'a [Field]>,
    /// Whether it is test data, where this node knows (its own set). A pilot admits nothing else, and a live agreement
    /// admits none of it.
    pub synthetic: Option<bool>,
}

/// The number of subjects in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetSize {
    /// The node's own set: exactly this many.
    Exact(u64),
    /// The peer's set: at most 2 to this power, and more than half of it (or the smallest class).
    Class(u8),
}

impl SetSize {
    /// The padded size, which quotas count.
    pub fn padded(self) -> u64 {
        match self {
            Self::Exact(subjects) => 1_u64
                .checked_shl(u32::from(class_log2(subjects)))
                .unwrap_or(u64::MAX),
            Self::Class(class) => 1_u64.checked_shl(u32::from(class)).unwrap_or(u64::MAX),
        }
    }

    pub(crate) fn is_below(self, min: u64) -> bool {
        match self {
            Self::Exact(subjects) => subjects < min,
            Self::Class(class) => class < class_log2(min),
        }
    }

    pub(crate) fn is_above(self, max: u64) -> bool {
        match self {
            Self::Exact(subjects) => subjects > max,
            Self::Class(class) => class > class_log2(max),
        }
    }
}

impl fmt::Display for SetSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(subjects) => write!(f, "{subjects}"),
            Self::Class(_) => write!(f, "up to {}", self.padded()),
        }
    }
}

/// What a round would evaluate under one match key.
#[derive(Debug, Clone, Copy)]
pub struct Evaluations<'a> {
    /// The match key.
    pub match_key: &'a str,
    /// Padded number of evaluations of this round.
    pub padded: u64,
    /// Evaluations already counted in the period of its quota, from the durable counters.
    pub used_in_period: u64,
}

/// What the direction has used up already, from the durable counters of this node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Rounds since the start of the UTC day ([`crate::day_start_s`]), whatever became of them.
    pub rounds_today: u32,
    /// When the latest round started.
    pub last_round_s: Option<u64>,
    /// Padded question sizes since the start of the UTC month ([`crate::month_start_s`]).
    pub subjects_this_month: u64,
    /// Up to this moment nobody knows what was used, because the node's records were put back to an earlier state:
    /// every period that reaches back to it counts as used up.
    pub spent_until_s: Option<u64>,
}

/// Why a round may not happen: `third round today, the agreement allows 2 (limits.UK_to_RS.rounds_per_day)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Name of the rule; stable, for programs.
    pub rule: &'static str,
    /// The clause it comes from.
    pub clause: String,
    /// What is the matter.
    pub message: String,
    /// What to do.
    pub fix: String,
}

impl Refusal {
    /// Whether this node's own policy refuses, and the agreement does not.
    pub fn is_local_policy(&self) -> bool {
        self.clause.starts_with("policy.")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.clause)
    }
}

impl std::error::Error for Refusal {}
