//! The `mandorla` binary.
fn main() {}
