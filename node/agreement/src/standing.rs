//! What the parties' signatures amount to.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::{State, Statement};

/// Most suspensions in the life of one version: what is suspended more often needs another text. It bounds how many
/// signatures a node verifies to know where an agreement stands.
pub const SUSPENSIONS_MAX: u32 = 64;

/// Everything that the two parties signed about one version, as far as a node knows; every signature verified.
///
/// Let `S` be the highest sequence of any suspension, 0 where there is none. The version is live if **both** parties
/// signed an activation with the sequence `S + 1`. A statement is never taken back: a party that suspends signs a
/// suspension with the sequence of the activation it ends, which raises `S`, so that no activation signed before counts
/// any more, in whatever order the statements arrive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// In the agreement's order of parties.
    pub parties: [PartyStanding; 2],
}

/// What one party signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartyStanding {
    /// The text.
    pub signed: bool,
    /// Sequences of its activations.
    pub activations: BTreeSet<u32>,
    /// Sequences of its suspensions.
    pub suspensions: BTreeSet<u32>,
    /// Sequences of its resumptions.
    pub resumptions: BTreeSet<u32>,
}

/// Statements that cannot be the whole of what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StandingError {
    /// A sequence beyond [`SUSPENSIONS_MAX`], or 0.
    #[error("the sequence {0} is not between 1 and {SUSPENSIONS_MAX}")]
    Sequence(u32),
    /// There is no suspension with this sequence, and a later statement builds on it.
    #[error(
        "a statement with the sequence {later} builds on a suspension {missing} that is not there"
    )]
    Gap {
        /// Sequence of the statement.
        later: u32,
        /// Sequence of the missing suspension.
        missing: u32,
    },
}

impl PartyStanding {
    /// The sequences of one kind of statement.
    pub const fn of(&self, statement: Statement) -> &BTreeSet<u32> {
        match statement {
            Statement::Activation => &self.activations,
            Statement::Suspension => &self.suspensions,
            Statement::Resumption => &self.resumptions,
        }
    }

    /// Adds a statement.
    pub fn add(&mut self, statement: Statement, sequence: u32) {
        match statement {
            Statement::Activation => self.activations.insert(sequence),
            Statement::Suspension => self.suspensions.insert(sequence),
            Statement::Resumption => self.resumptions.insert(sequence),
        };
    }
}

impl Standing {
    /// Whether both parties signed the text.
    pub fn is_signed(&self) -> bool {
        self.parties.iter().all(|party| party.signed)
    }

    /// The highest sequence of any suspension; 0: there was none.
    pub fn suspended_to(&self) -> u32 {
        let all = self.parties.iter().flat_map(|party| &party.suspensions);
        all.copied().max().unwrap_or(0)
    }

    /// The sequence that an activation needs now.
    pub fn activation_due(&self) -> u32 {
        self.suspended_to() + 1
    }

    /// Whether both parties activated it above every suspension.
    pub fn is_activated(&self) -> bool {
        let due = self.activation_due();
        self.parties
            .iter()
            .all(|party| party.activations.contains(&due))
    }

    /// Whether it was live at some time, suspended since or not.
    pub fn was_live(&self) -> bool {
        let [a, b] = &self.parties;
        self.is_signed() && !a.activations.is_disjoint(&b.activations)
    }

    /// Whether a party has done its part for the end of the latest suspension.
    pub fn has_resumed(&self, party: &PartyStanding) -> bool {
        let to = self.suspended_to();
        party.activations.contains(&(to + 1)) || (to > 0 && party.resumptions.contains(&to))
    }

    /// What a party signs to resume: an activation, or in a pilot that never touched real data a resumption.
    pub fn resumes_with(&self, pilot_required: bool) -> (Statement, u32) {
        if pilot_required && !self.was_live() {
            (Statement::Resumption, self.suspended_to())
        } else {
            (Statement::Activation, self.activation_due())
        }
    }

    /// The sequence with which this party suspends now; `None` if it has done so and resumed nothing since.
    pub fn suspends_with(&self, party: &PartyStanding, pilot_required: bool) -> Option<u32> {
        let to = self.suspended_to();
        if !self.is_suspended(pilot_required) || self.has_resumed(party) {
            Some(to + 1)
        } else if party.suspensions.contains(&to) {
            None
        } else {
            Some(to)
        }
    }

    /// Whether a suspension holds.
    pub fn is_suspended(&self, pilot_required: bool) -> bool {
        let resumed = self.parties.iter().all(|party| self.has_resumed(party));
        let back_in_pilot = pilot_required && !self.was_live() && resumed;
        self.suspended_to() > 0 && !self.is_activated() && !back_in_pilot
    }

    /// Where the version stands. `superseded`: a later version was live at some time; `expired`: it is past its end.
    pub fn state(&self, pilot_required: bool, superseded: bool, expired: bool) -> State {
        let signed = self.parties.iter().filter(|party| party.signed).count();
        let both = signed == 2;
        let steps = [
            (true, State::Proposed),
            (signed >= 1, State::SignedByOne),
            (both, State::SignedByBoth),
            (both && pilot_required, State::Pilot),
            (both && self.is_activated(), State::Live),
            (superseded, State::Superseded),
            (both && self.is_suspended(pilot_required), State::Suspended),
            (expired, State::Expired),
        ];
        let holding = steps.into_iter().filter(|(holds, _)| *holds);
        holding.fold(State::Draft, |state, (_, next)| {
            state.step(next, pilot_required).unwrap_or(state)
        })
    }

    /// Checks that every statement builds on suspensions that are there.
    ///
    /// # Errors
    /// A statement of a party that is not honest, or a bundle of which a part is missing.
    pub fn check(&self) -> Result<(), StandingError> {
        let all = |of: fn(&PartyStanding) -> &BTreeSet<u32>| {
            self.parties
                .iter()
                .flat_map(of)
                .copied()
                .collect::<Vec<_>>()
        };
        let suspensions = all(|party| &party.suspensions);
        // Each with the suspension below which there must be no gap.
        let needed = all(|party| &party.activations)
            .into_iter()
            .map(|sequence| (sequence, sequence.saturating_sub(1)))
            .chain(suspensions.iter().map(|&sequence| (sequence, sequence)))
            .chain(
                all(|party| &party.resumptions)
                    .into_iter()
                    .map(|sequence| (sequence, sequence)),
            );
        for (later, to) in needed {
            if !(1..=SUSPENSIONS_MAX).contains(&later) {
                return Err(StandingError::Sequence(later));
            }
            if let Some(missing) = (1..=to).find(|sequence| !suspensions.contains(sequence)) {
                return Err(StandingError::Gap { later, missing });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
