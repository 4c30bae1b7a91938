//! The test suite of the kernels. Every test runs at every level that the processor has.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its shared functions too"
)]

mod levels;
mod possession;
mod refusals;
mod rfc9380;
mod rfc9496;
mod rfc9497;
mod round_trip;
mod support;
mod transcripts;
