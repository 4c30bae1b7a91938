//! The responder's side of a round, one struct per state.
//!
//! ```text
//! offered ─accept_offer→ Accepting ─handle_confirm→ Blinding ─finish→ Evaluated ─handle_seek→ Receiving ─finish→ Questioned
//!                                                   (blinds, verifies)   │            (cells into a file)            │ match, review,
//!                                                                        └─handle_withdraw: ended                    │ answers at slots
//!                                                                                                     closed ◄─closes_at
//! ```
//! [`Blinding`], [`Evaluated`] and [`Questioned`] are records that survive a restart.

mod blinding;
mod offered;
mod question;

pub use blinding::{BlindJob, BlindedChunk, Blinding, BlindingRecord, Evaluated, VerifiedChunk};
pub use offered::{Accepting, ResponderInput, ResponderSecrets, accept_offer, accept_offer_with};
pub use question::{Questioned, Receiving, SlotState};
