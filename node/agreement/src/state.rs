//! The life of an agreement.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where an agreement stands. Only [`State::Live`] touches real data.
///
/// ```text
/// draft → proposed → signed by one → signed by both → pilot → live
///                                          │            ▲ ▲     │
///                                          └────────────┼─┼► live (where no pilot is required)
///                                                       │ └─────┼─── resume
///                                          suspended ◄──┴───────┘      and from each of these: expired
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Being written on one node.
    Draft,
    /// Its exact bytes were sent to the peer; from here they no longer change.
    Proposed,
    /// One party has signed.
    SignedByOne,
    /// Both parties have signed the same bytes.
    SignedByBoth,
    /// Rounds on synthetic data only.
    Pilot,
    /// Both sides activated it: rounds on real data.
    Live,
    /// One side stopped it, alone and at once. No new round and no new release; slots still answer.
    Suspended,
    /// Past its end, withdrawn or replaced. Final.
    Expired,
}

/// A step that the life of an agreement does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an agreement that is {from} cannot become {to}")]
pub struct TransitionError {
    /// The state it is in.
    pub from: State,
    /// The state asked for.
    pub to: State,
}

impl State {
    /// Every state, in the order of life.
    pub const ALL: [Self; 8] = [
        Self::Draft,
        Self::Proposed,
        Self::SignedByOne,
        Self::SignedByBoth,
        Self::Pilot,
        Self::Live,
        Self::Suspended,
        Self::Expired,
    ];

    /// Whether the step to `next` exists. `pilot_required` is the agreement's clause.
    ///
    /// A suspended agreement resumes into the pilot, so that real data always needs a fresh activation by both
    /// sides (see [`crate::activation_bytes`]).
    pub const fn may_become(self, next: Self, pilot_required: bool) -> bool {
        use State::{Draft, Expired, Live, Pilot, Proposed, SignedByBoth, SignedByOne, Suspended};
        match (self, next) {
            (SignedByBoth, Live) => !pilot_required,
            (Draft, Proposed)
            | (Proposed, SignedByOne)
            | (SignedByOne, SignedByBoth)
            | (SignedByBoth | Suspended, Pilot)
            | (Pilot, Live | Suspended)
            | (Live, Suspended) => true,
            (from, Expired) => !matches!(from, Expired),
            _ => false,
        }
    }

    /// The next state, or an error that names both.
    pub const fn step(self, next: Self, pilot_required: bool) -> Result<Self, TransitionError> {
        if self.may_become(next, pilot_required) {
            Ok(next)
        } else {
            Err(TransitionError {
                from: self,
                to: next,
            })
        }
    }

    /// Whether the step into this state needs the signature of both parties over the activation.
    pub const fn needs_both_to_activate(self) -> bool {
        matches!(self, Self::Live)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Draft => "draft",
            Self::Proposed => "proposed",
            Self::SignedByOne => "signed by one",
            Self::SignedByBoth => "signed by both",
            Self::Pilot => "in pilot",
            Self::Live => "live",
            Self::Suspended => "suspended",
            Self::Expired => "expired",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows are the state before, columns the state after, in the order of `State::ALL`; `p`: only where no pilot is
    /// required.
    const TABLE: [&str; 8] = [
        ".x.....x", // draft
        "..x....x", // proposed
        "...x...x", // signed by one
        "....xp.x", // signed by both
        ".....xxx", // pilot
        "......xx", // live
        "....x..x", // suspended
        "........", // expired
    ];

    #[test]
    fn exactly_the_steps_of_the_table_exist() {
        for (from, row) in State::ALL.into_iter().zip(TABLE) {
            for (to, mark) in State::ALL.into_iter().zip(row.chars()) {
                assert_eq!(
                    from.may_become(to, true),
                    mark == 'x',
                    "{from} -> {to}, pilot required"
                );
                assert_eq!(
                    from.may_become(to, false),
                    mark != '.',
                    "{from} -> {to}, no pilot"
                );
                assert_eq!(from.step(to, true).is_ok(), mark == 'x');
            }
        }
    }

    #[test]
    fn a_suspended_agreement_never_goes_straight_back_to_real_data() {
        assert_eq!(
            State::Suspended.step(State::Live, false),
            Err(TransitionError {
                from: State::Suspended,
                to: State::Live
            })
        );
    }
}
