//! A real node, driven through its control socket, with a second one beside it where it takes two.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod agreements;
mod callers;
mod datasets;
mod lifecycle;
mod peers;
mod world;
