//! Evaluating the responder's blinded elements, then the own match keys; then the keys are gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use mandorla_kernels::{Element, EvaluationKey, Kernel};
use rand_core::CryptoRng;
use zeroize::Zeroize as _;

use crate::error::{LocalFault, PeerFault, ProtocolError};
use crate::evaluation::{
    CHUNK_PROOF_BYTES, ChunkDigests, ChunkHeader, EvaluationLog, chunks, elements_digest,
};
use crate::ids::{Digest, RoundId};
use crate::labels;
use crate::message::Message;
use crate::prf::PrfValue;
use crate::question::{CheckedQuestion, subject_numbers, write_padding_cell};
use crate::random::draw;
use crate::requester::{PendingQuestion, RequesterSecrets};
use crate::signature::{NodeSigner, Role, SignatureBytes, verify};
use crate::terms::Terms;

type Keys = Arc<Vec<EvaluationKey>>;

/// Answers chunks until the responder says that it has verified all of them.
pub struct Evaluating {
    terms: Terms,
    keys: Keys,
    secrets: RequesterSecrets,
    case_reference: String,
    seen: BTreeMap<ChunkHeader, SeenChunk>,
    log: EvaluationLog,
}

struct SeenChunk {
    inputs: Digest,
    randomness: [u8; 32],
}

impl Evaluating {
    pub(super) fn new(
        terms: Terms,
        keys: Keys,
        secrets: RequesterSecrets,
        case_reference: String,
    ) -> Self {
        Self {
            terms,
            keys,
            secrets,
            case_reference,
            seen: BTreeMap::new(),
            log: EvaluationLog::default(),
        }
    }

    /// The terms of the round.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Chunks evaluated so far.
    pub fn chunks_done(&self) -> usize {
        self.log.len()
    }

    /// Takes a chunk by its header and the digest of its elements. The same chunk again gets the same
    /// reply; the same index with other content ends the round.
    pub fn handle_chunk(
        &mut self,
        header: ChunkHeader,
        inputs: Digest,
        rng: &mut impl CryptoRng,
    ) -> Result<EvaluateJob, PeerFault> {
        self.handle_chunk_with(header, inputs, draw(rng))
    }

    /// The same with given randomness for the proof's nonce.
    pub fn handle_chunk_with(
        &mut self,
        header: ChunkHeader,
        inputs: Digest,
        randomness: [u8; 32],
    ) -> Result<EvaluateJob, PeerFault> {
        if !chunks(&self.terms).any(|known| known == header) {
            return Err(PeerFault::UnknownChunk(header));
        }
        let seen = self
            .seen
            .entry(header)
            .or_insert(SeenChunk { inputs, randomness });
        if seen.inputs != inputs {
            return Err(PeerFault::ChunkChanged(header));
        }
        Ok(EvaluateJob {
            keys: Arc::clone(&self.keys),
            round: self.terms.round_id(),
            header,
            inputs,
            randomness: seen.randomness,
        })
    }

    /// Notes that a chunk was evaluated.
    pub fn chunk_evaluated(&mut self, reply: &ChunkReply) {
        self.log.insert(reply.header, reply.digests);
    }

    /// The responder has verified every chunk. Both roots must agree.
    pub fn handle_evaluated(
        self,
        root: Digest,
        signature: &SignatureBytes,
    ) -> Result<Deriving, ProtocolError> {
        let own = self
            .log
            .root(&self.terms)
            .map_err(|_| PeerFault::EvaluationRoot)?;
        if own != root {
            return Err(PeerFault::EvaluationRoot.into());
        }
        verify(
            "the evaluation",
            &self.terms.offer().responder.0,
            labels::EVALUATION,
            &[&Role::Responder.byte(), &self.terms.round_id().0, &root.0],
            signature,
        )?;
        Ok(Deriving {
            terms: self.terms,
            keys: self.keys,
            secrets: self.secrets,
            case_reference: self.case_reference,
            evaluation_root: root,
        })
    }
}

/// The work of evaluating one chunk; runs on any thread.
pub struct EvaluateJob {
    keys: Keys,
    round: RoundId,
    header: ChunkHeader,
    inputs: Digest,
    randomness: [u8; 32],
}

impl EvaluateJob {
    /// Decodes, evaluates and proves. A bad element ends the round with the responder as culprit.
    ///
    /// # Panics
    /// If `elements` are not the ones whose digest was given: that is the caller's mix-up.
    pub fn run(&self, kernel: Kernel, elements: &[Element]) -> Result<ChunkReply, PeerFault> {
        let rows = u64::from(self.header.rows);
        if elements.len() as u64 != rows {
            let got = elements.len() as u64 * 32;
            return Err(PeerFault::Length {
                what: "a chunk",
                expected: rows * 32,
                got,
            });
        }
        let points = kernel
            .decode(elements)
            .map_err(|bad| PeerFault::BadElement {
                chunk: self.header,
                index: u32::try_from(bad.index).expect("a chunk is small"),
            })?;
        let key = &self.keys[usize::from(self.header.key_type)];
        let outputs = kernel.evaluate(key, &points);
        let context = self.header.proof_context(self.round);
        let proof = kernel.prove(
            key,
            &context,
            (&points, elements),
            &outputs,
            &self.randomness,
        );
        let digests = ChunkDigests {
            inputs: self.inputs,
            outputs: elements_digest(&outputs),
        };
        Ok(ChunkReply {
            header: self.header,
            outputs,
            proof: proof.to_bytes(),
            digests,
        })
    }
}

/// An evaluated chunk: the reply's stream is `outputs` one after the other, then `proof`.
pub struct ChunkReply {
    /// Which chunk.
    pub header: ChunkHeader,
    /// `E = k·N`.
    pub outputs: Vec<Element>,
    /// Whole-chunk proof.
    pub proof: [u8; CHUNK_PROOF_BYTES],
    digests: ChunkDigests,
}

impl ChunkReply {
    /// The bytes of the reply's stream.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.outputs.len() * 32 + CHUNK_PROOF_BYTES);
        for output in &self.outputs {
            bytes.extend_from_slice(output);
        }
        bytes.extend_from_slice(&self.proof);
        bytes
    }
}

/// Every chunk is evaluated; the own match keys are next, then the keys go.
pub struct Deriving {
    terms: Terms,
    keys: Keys,
    secrets: RequesterSecrets,
    case_reference: String,
    evaluation_root: Digest,
}

impl Deriving {
    /// The terms of the round.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Root over all chunks.
    pub fn evaluation_root(&self) -> Digest {
        self.evaluation_root
    }

    /// A handle that derives PRF values on any thread. All handles must be dropped before [`finish`](Self::finish).
    pub fn derive_job(&self, key_type: u8) -> DeriveJob {
        DeriveJob {
            keys: Arc::clone(&self.keys),
            key_type,
            domain_tag: self.terms.domain_tag(key_type),
            public_key: self.terms.offer().key_types[usize::from(key_type)].public_key,
        }
    }

    /// The numbers of subjects 0, 1, … in this round.
    pub fn subject_numbers(&self, subjects: u32) -> Vec<u32> {
        subject_numbers(&self.secrets.number_seed, subjects)
    }

    /// Writes the j-th padding cell.
    pub fn write_padding_cell(&self, j: u32, out: &mut Vec<u8>) {
        write_padding_cell(&self.terms, &self.secrets.pad_seed, j, out);
    }

    /// Cells and hit keys are durable: erases every key and acknowledges the evaluation.
    pub fn finish(
        self,
        question: CheckedQuestion,
        signer: &NodeSigner,
    ) -> Result<(PendingQuestion, Message), LocalFault> {
        // The last owner: dropping the keys zeroises them now, not some time later.
        drop(Arc::into_inner(self.keys).ok_or(LocalFault::WorkOutstanding)?);
        let pending = PendingQuestion::new(
            self.terms,
            self.case_reference,
            self.secrets.case_salt,
            question.root(),
            self.evaluation_root,
        );
        let message = pending.evaluated_ack(signer);
        Ok((pending, message))
    }
}

/// Derives `F(x)` of own match keys of one type.
pub struct DeriveJob {
    keys: Keys,
    key_type: u8,
    domain_tag: Vec<u8>,
    public_key: [u8; 32],
}

impl DeriveJob {
    /// `F(x)` for each match key, in order.
    pub fn run(&self, kernel: Kernel, match_keys: &[&[u8]]) -> Vec<PrfValue> {
        let key = &self.keys[usize::from(self.key_type)];
        let mut elements = kernel.derive(key, &self.domain_tag, match_keys);
        let values = elements
            .iter()
            .zip(match_keys)
            .map(|(element, x)| PrfValue::new(&self.domain_tag, x, &self.public_key, element))
            .collect();
        elements.zeroize();
        values
    }
}
