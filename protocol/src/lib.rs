//! The Mandorla protocol as state machines without I/O.
