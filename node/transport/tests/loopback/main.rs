//! Two nodes, or a node and a deliberately different peer, over loopback.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod connections;
mod crafted;
mod frames;
mod handshakes;
mod identities;
mod limits;
mod world;
