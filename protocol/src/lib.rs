//! # The Mandorla protocol: ask, match at the responder, release item by item
//!
//! ```text
//!        requester R                                            responder S
//!  Offered ── Offer ───────────────────────────────────────────► accept_offer
//!  Accepted ◄───────────────────────────────────────── Accept ── Accepting
//!  Evaluating ── Confirm ──────────────────────────────────────► Blinding
//!     EvaluateJob ◄── blinded chunks ── evaluated + proof ──►      BlindJob, verify_and_unblind
//!  Deriving ◄──────────────────────────────────────── Evaluated ── Evaluated
//!  PendingQuestion  (keys erased; nothing about a subject has left)
//!     │ QuestionApproval: only the review desk can make one
//!  Seeking ── Seek, cells ─────────────────────────────────────► Receiving
//!  AwaitingAnswers ◄────────────────────────────────── SeekAck ── Questioned ── Matcher ── review ── ReleasedItem
//!     at each slot ◄───────────────── Answer of fixed size ──────── freeze
//!  ReceiptedAnswer ── Receipt ─────────────────────────────────►
//! ```
//!
//! The crate holds no I/O, no clock, no thread and no unsafe code: bytes, time and randomness come in as
//! arguments. Each state is a struct that the step out of it consumes, so what is out of order cannot be
//! called; `handle_*` takes what came in and gives the next state or the message to send. Elements and cells
//! never pass through a machine: it hands out jobs and is told counts and digests. A question cannot be sent without
//! a [`QuestionApproval`], and an item cannot be made without a [`ReleaseSigner`]: both belong to the review desk.
//!
//! Every byte is fixed by `docs/reference/protocol.md`.

mod answer;
mod approval;
mod codec;
mod error;
mod evaluation;
mod hash;
mod ids;
mod item;
mod labels;
mod matching;
mod message;
mod pair_log;
mod prf;
mod question;
mod random;
mod signature;
mod succession;
mod terms;

pub mod checkpoint;
pub mod merkle;
pub mod requester;
pub mod responder;

pub use answer::{Answer, answer_bytes};
pub use approval::{QuestionApproval, QuestionSummary};
pub use codec::{CONTROL_BYTES_MAX, CodecError, decode, encode};
pub use error::{LocalFault, PeerFault, ProtocolError, QuestionFault, Refusal};
pub use evaluation::{
    CHUNK_HEADER_BYTES, CHUNK_PROOF_BYTES, CHUNK_ROWS, ChunkDigests, ChunkHeader, chunks,
    elements_digest,
};
pub use ids::{Digest, ItemId, NodeKey, RoundId};
pub use item::{
    HitKeys, OpenedItem, Package, Quarantine, Release, ReleasedItem, place_bytes, place_digest,
};
pub use matching::{AgreedKey, Cells, MatchOutcome, Matcher, Pair};
pub use message::{Message, PendingFact, Receipt};
pub use pair_log::{
    EndReason, FACTS_MAX, Fact, FactLeaf, FactName, FactState, PAIR_HASHES_MAX, PAIR_LEAVES_MAX,
    PairLog, PairSide, kind_word, receipt_digest,
};
pub use prf::{HitKey, PrfValue};
pub use question::{
    CheckedQuestion, PAYLOAD_BYTES, Payload, QuestionCheck, subject_numbers, write_cell,
};
pub use signature::{
    EXPORTER_LABEL, NodeSigner, ReleaseSigner, Role, SignatureBytes, bind, verify, verify_binding,
};
pub use succession::{OVERLAP_MAX_S, PublicKeys, SignedSuccession, Succession, SuccessionFault};
pub use terms::{
    CLASS_LOG2_MAX, CLOCK_SKEW_MAX_S, KEY_TYPES_MAX, KeyType, Offer, ResponderOffer, SLOTS_MAX,
    SUITE, Terms, TermsRules, agreement_digest, dataset_commitment, ledger_commitment,
    size_class_log2, tag_bytes,
};
