//! The command line of Mandorla.
