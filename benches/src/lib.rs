//! Benchmarks of the crypto hot path.
