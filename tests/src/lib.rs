//! Whole-system tests: two real processes over QUIC on loopback.

pub mod recover;
