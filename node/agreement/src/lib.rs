//! The signed agreement between two agencies: parsing, checking, effective limits.
