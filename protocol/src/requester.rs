//! The requester's side of a round, one struct per state, each consumed by the step that ends it.
//!
//! ```text
//! Offered ─handle_accept→ Accepted ─confirm→ Evaluating ─handle_evaluated→ Deriving ─finish→ PendingQuestion
//!    (keys in memory)                        (evaluates chunks)            (own values; keys erased)  │ durable from here
//!                                                                                     approve / withdraw
//!                                                                                                     ▼
//!                        closed ◄─closes_at─ AwaitingAnswers ◄─handle_seek_ack─ Seeking
//! ```
//! Elements never pass through a machine: it hands out jobs ([`EvaluateJob`], [`DeriveJob`]) that run
//! wherever the caller likes, and is told digests.

mod answers;
mod evaluating;
mod offering;
mod question;

pub use answers::{AwaitingAnswers, ReceiptedAnswer, SealedAnswer};
pub use evaluating::{ChunkReply, DeriveJob, Deriving, EvaluateJob, Evaluating};
pub use offering::{Accepted, Offered, RequesterInput, RequesterSecrets};
pub use question::{PendingQuestion, Seeking};
