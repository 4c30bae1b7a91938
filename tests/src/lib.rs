//! # Whole-system tests
//!
//! ```text
//!   tests/*.rs ──► Agencies ──┬── process `mandorla node run`   GB asks        ◄─┐
//!                   │         │                                                  │ QUIC on loopback
//!                   │         ├── process `mandorla node run`   RS is asked    ◄─┘
//!                   │         └── …
//!        Deal ──────┤  the agreement: what varies between tests
//!        List ──────┤  a table, its map file, and the subjects that a node makes of it ──► expected: a plaintext join
//!        Line ──────┤  a relay between two nodes, to be cut, slowed down and listened to
//!        Patched ───┤  a peer that has an agency's keys and obeys nothing
//!        Traces ────┘  every file, message and reply of a node, to be searched for what it must not know
//! ```
//! The nodes are processes of the real binary beside the tests' own, which is built anew where it is older than its
//! sources. Every wait ends at a change of the round or at a deadline. Processes end with the value that holds them.

mod agencies;
mod agreement;
mod binary;
mod line;
mod lists;
mod patched;
pub mod recover;
mod relay;
mod search;

pub use agencies::{Agencies, Asked, BOTH_ROLES, CASE, STEP_WITHIN};
pub use agreement::{Deal, PURPOSE, match_key, number_key};
pub use binary::program;
pub use line::{
    Line, entries, evaluated, follow, is_the_join, logs_agree, numbered, numbers_deal, propose,
    until_logged,
};
pub use lists::{Joined, List, expected, found, key_types};
pub use patched::Patched;
pub use relay::{Datagram, Relay, Toward};
pub use search::{Traces, files_named};
