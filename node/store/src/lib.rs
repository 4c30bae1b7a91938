//! The embedded database, run files and transparency logs of a node.
