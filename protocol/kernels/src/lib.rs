//! Batch arithmetic on ristretto255: the hot path of Mandorla.
