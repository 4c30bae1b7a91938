//! QUIC between two pinned nodes, with a post-quantum key exchange.
