//! Every domain-separation string of the protocol, in one place.
//!
//! They are fixed by `docs/reference/protocol.md`; a change of one is a new protocol version.

pub(crate) const AGREEMENT: &str = "mandorla/1 agreement";
pub(crate) const ANSWER: &str = "mandorla/1 answer";
pub(crate) const APPROVAL: &str = "mandorla/1 approval";
pub(crate) const BINDING: &str = "mandorla/1 binding";
pub(crate) const BLIND: &str = "mandorla/1 blind";
pub(crate) const CASE: &str = "mandorla/1 case";
pub(crate) const CHUNK: &str = "mandorla/1 chunk";
pub(crate) const CONTEXT: &str = "mandorla/1 context";
pub(crate) const DATASET: &str = "mandorla/1 dataset";
pub(crate) const EVALUATION: &str = "mandorla/1 evaluation";
pub(crate) const EVALUATION_LEAF: &str = "mandorla/1 evaluation leaf";
pub(crate) const FACT: &str = "mandorla/1 fact";
pub(crate) const FACT_SALT: &str = "mandorla/1 fact salt";
pub(crate) const HIT_KEY: &str = "mandorla/1 hit key";
pub(crate) const HIT_PROOF: &str = "mandorla/1 hit proof";
pub(crate) const ITEM: &str = "mandorla/1 item";
pub(crate) const ITEM_ID: &str = "mandorla/1 item id";
pub(crate) const LEDGER: &str = "mandorla/1 ledger";
pub(crate) const MASK: &str = "mandorla/1 mask";
pub(crate) const PACKAGE: &str = "mandorla/1 package";
pub(crate) const PACKAGE_KEY: &str = "mandorla/1 package key";
pub(crate) const PADDING_CELL: &str = "mandorla/1 padding cell";
pub(crate) const PADDING_ROW: &str = "mandorla/1 padding row";
pub(crate) const POSSESSION_CONTEXT: &str = "mandorla/1 possession context";
pub(crate) const PRF: &str = "mandorla/1 prf";
pub(crate) const QUESTION: &str = "mandorla/1 question";
pub(crate) const RECEIPT: &str = "mandorla/1 receipt";
pub(crate) const RECEIPT_DIGEST: &str = "mandorla/1 receipt digest";
pub(crate) const ROUND: &str = "mandorla/1 round";
pub(crate) const SEEK: &str = "mandorla/1 seek";
pub(crate) const SEEK_ACK: &str = "mandorla/1 seek ack";
pub(crate) const SUBJECT_NUMBER: &str = "mandorla/1 subject number";
pub(crate) const SUCCESSION: &str = "mandorla/1 succession";
pub(crate) const SUCCESSION_KNOWN: &str = "mandorla/1 succession known";
pub(crate) const TAG: &str = "mandorla/1 tag";
pub(crate) const TERMS: &str = "mandorla/1 terms";
pub(crate) const WITHDRAW: &str = "mandorla/1 withdraw";

/// First bytes of every `dst_t`; the 32-byte context hash follows.
pub(crate) const DST_PREFIX: &[u8] = b"mandorla/1 ";
