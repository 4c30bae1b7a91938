//! The agreement as its users meet it: files that are accepted, files that are refused, rounds that are admitted.

#![expect(clippy::unwrap_used, reason = "a test may end at the first surprise")]

mod admitting;
mod directions;
mod linting;
mod malformed;
mod pages;
mod policy;
mod samples;
mod signing;
mod world;
