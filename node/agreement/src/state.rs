//! The life of an agreement.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where a version of an agreement stands. Only [`State::Live`] touches real data.
///
/// ```text
/// draft → proposed → signed by one → signed by both → pilot → live → superseded (the next version went live)
///                                          │            ▲ │    ▲ │         │
///                                          ├────────────┼─┼────┘ │ (live where no pilot is required)
///                                          └──────────► suspended ◄────────┘   and from each of these: expired
/// ```
/// A suspension before the agreement was ever live ends in the pilot; one after that ends in live, by a fresh
/// activation of both parties.
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
    /// A side stopped it, alone and at once. No new round and no new release; slots still answer.
    Suspended,
    /// A later version went live: no new round; rounds under way run to their end under this text.
    Superseded,
    /// Past its end. Final.
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
    pub const ALL: [Self; 9] = [
        Self::Draft,
        Self::Proposed,
        Self::SignedByOne,
        Self::SignedByBoth,
        Self::Pilot,
        Self::Live,
        Self::Suspended,
        Self::Superseded,
        Self::Expired,
    ];

    /// Whether the step to `next` exists. `pilot_required` is the agreement's clause.
    ///
    /// The step from suspended to live takes an activation of each party above every suspension: see
    /// [`crate::Standing`].
    pub const fn may_become(self, next: Self, pilot_required: bool) -> bool {
        use State::{
            Draft, Expired, Live, Pilot, Proposed, SignedByBoth, SignedByOne, Superseded, Suspended,
        };
        match (self, next) {
            (SignedByBoth, Live) => !pilot_required,
            (SignedByBoth | Suspended, Pilot) => pilot_required,
            (Draft, Proposed)
            | (Proposed, SignedByOne)
            | (SignedByOne, SignedByBoth)
            | (Pilot | Suspended, Live)
            | (SignedByBoth | Pilot | Live | Superseded, Suspended)
            | (Proposed | SignedByOne | SignedByBoth | Pilot | Live | Suspended, Superseded) => {
                true
            }
            (from, Expired) => !matches!(from, Expired),
            _ => false,
        }
    }

    /// Whether a round that has begun may go on: approve and send its question, take it, decide on its hits.
    pub const fn lets_rounds_go_on(self) -> bool {
        matches!(self, Self::Pilot | Self::Live | Self::Superseded)
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
            Self::Superseded => "superseded",
            Self::Expired => "expired",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows are the state before, columns the state after, in the order of `State::ALL`; `p`: only where a pilot is
    /// required, `n`: only where none is.
    const TABLE: [&str; 9] = [
        ".x......x", // draft
        "..x....xx", // proposed
        "...x...xx", // signed by one
        "....pnxxx", // signed by both
        ".....xxxx", // pilot
        "......xxx", // live
        "....px.xx", // suspended
        "......x.x", // superseded
        ".........", // expired
    ];

    #[test]
    fn exactly_the_steps_of_the_table_exist() {
        for (from, row) in State::ALL.into_iter().zip(TABLE) {
            for (to, mark) in State::ALL.into_iter().zip(row.chars()) {
                assert_eq!(
                    from.may_become(to, true),
                    matches!(mark, 'x' | 'p'),
                    "{from} -> {to}, pilot required"
                );
                assert_eq!(
                    from.may_become(to, false),
                    matches!(mark, 'x' | 'n'),
                    "{from} -> {to}, no pilot"
                );
                assert_eq!(from.step(to, true).is_ok(), matches!(mark, 'x' | 'p'));
            }
        }
    }

    #[test]
    fn what_is_superseded_never_comes_back() {
        for to in [State::Pilot, State::Live] {
            assert_eq!(
                State::Superseded.step(to, false),
                Err(TransitionError {
                    from: State::Superseded,
                    to
                })
            );
        }
    }
}
