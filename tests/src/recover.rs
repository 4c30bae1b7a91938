//! What an eavesdropper recovers from a list of hashed identifiers, and from a round.
//!
//! ```text
//!   Space ─► search (all threads, a share of a century of numbers each)
//!              ├─► HashedList::recover   every number on a list that was "hashed for privacy"
//!              └─► Attack::run           the same enumeration against every byte of a CapturedRound
//! ```
//! A national number such as the JMBG has so few values that trying all of them is a matter of minutes. Whoever
//! can compute the function that hides a number can therefore undo it. In a round nobody can: the function needs a
//! key that only the requester has, and the blinded points are uniform whatever they hide. The attack takes
//! [`Knowledge`] as an argument, so that the same code that finds nothing is seen to find everything once the
//! key, or the blinds, are given to it.

mod attack;
mod hashed;
mod jmbg;
mod round;
mod search;

pub use attack::{Attack, Knowledge};
pub use hashed::HashedList;
pub use jmbg::{BirthDate, Jmbg, Space};
pub use round::CapturedRound;
pub use search::{Searched, search};
