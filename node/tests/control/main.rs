//! A real node, driven through its control socket, with a second one beside it where it takes two.

mod agreements;
mod callers;
mod datasets;
mod lifecycle;
mod peers;
mod world;
