//! # The control API of a node
//!
//! ```text
//!  mandorla (cli) ── POST /v1/<noun>/<verb>, JSON ──► Unix socket ──► node
//!                 ◄── 200 {reply}  or  4xx/5xx {"error": {code, message, hint, exit}} ──
//! ```
//! One type per call: it knows its path, its reply, and which roles may make it. Both ends use the same
//! types, so that the command line needs nothing of a node's inside. The node knows the caller by the
//! credentials of the socket; an owner of a small installation may act as one of its named users.

mod call;
mod calls;
mod check;
mod client;
mod error;
mod role;

pub use call::{API_VERSION, Call, CallInfo, USER_HEADER};
pub use calls::*;
pub use check::{Check, CheckSide, CheckStatus, CheckView};
pub use client::{Client, ClientError};
pub use error::{ApiError, ErrorBody, ErrorCode, ExitCode};
pub use role::Role;
