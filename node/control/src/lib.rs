//! The control API: request and response types, errors, and a client for the Unix socket.
