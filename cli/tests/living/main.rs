//! The commands against a daemon: two processes of the real binary, nothing in between.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod bad_lists;
mod bad_peers;
mod bad_starts;
mod harness;
mod node;
mod seals;
