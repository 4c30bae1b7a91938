//! The daemon of an agency: rounds, review, store and control socket.
