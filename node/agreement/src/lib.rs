//! The signed agreement between two agencies.
//!
//! ```text
//!   agreement.toml ──parse──► Agreement ──direction(UK, RS)──► Direction ──admit──► Ok / Refusal
//!    exact bytes               │   │                            caps, slots,         rule, clause,
//!                              │   └── lint ──► Finding…         tag width            message, fix
//!                              └── hash ──► signing_bytes ──► both signatures ──► State: pilot, live
//! ```
//!
//! An [`Agreement`] keeps the exact bytes it was read from; its hash covers them and stands in every handshake.
//! Whoever holds an `Agreement` holds one whose every clause is within bounds and consistent with the others:
//! [`Agreement::parse`] refuses the rest and names the clause. What is permitted but unwise is reported by
//! [`Agreement::lint`]. Whether one round may happen is decided by [`Agreement::admit`], on both nodes, before
//! anything is sent; a node's own [`LocalPolicy`] narrows what the agreement permits and never widens it. The crate has no clock and no I/O: time is an argument, in Unix seconds.

mod admit;
mod agreement;
mod amend;
mod bounds;
mod checks;
mod clauses;
mod diff;
mod direction;
mod dpia;
mod draft;
mod finding;
mod lint;
mod placeholder;
mod policy;
mod proposal;
mod scope;
mod sign;
mod standing;
mod state;
mod summary;
mod terms;
mod text;
mod time;
mod two_person;

pub use agreement::{Agreement, AgreementError};
pub use bounds::*;
pub use diff::{Change, Effect, diff};
pub use direction::Direction;
pub use dpia::dpia;
pub use draft::{
    DraftContacts, DraftDataset, DraftInput, DraftLegal, DraftParty, DraftScope, draft,
};
pub use finding::{Finding, Severity};
pub use lint::lint;
pub use mandorla_linkage::Exclusion;
pub use policy::{LocalPolicy, OPEN_ROUNDS_PER_PEER_MAX};
pub use proposal::{Counters, Evaluations, Proposal, Refusal, SetFacts, SetSize};
pub use sign::{SignatureError, Statement, agreement_hash, signing_bytes, statement_bytes};
pub use standing::{PartyStanding, SUSPENSIONS_MAX, Standing, StandingError};
pub use state::{State, TransitionError};
pub use summary::summary;
pub use terms::{
    Answer, Dataset, Disclosure, EvaluationQuota, Exit, ExpiryRule, Handling, Legal, Limits,
    Linkage, Party, PartyType, PublicKey, Purpose, Regime, RepeatQuestions, ResultMode,
    ResultTerms, Retention, Review, Scope, Terms,
};
pub use time::{Duration, Instant, day_start_s, month_start_s};
pub use two_person::{HitFacts, TwoPersonWhen};
