//! Blinding own match keys, verifying what comes back, unblinding: chunk by chunk.

use std::collections::BTreeMap;
use std::sync::Arc;

use bincode::{Decode, Encode};
use mandorla_kernels::{
    Blind, ChunkProof, Element, FramedHmacSha512, Kernel, Points, PublicKey, PublicKeyTable,
    VerifyError,
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::codec::CodecError;
use crate::error::{LocalFault, PeerFault, ProtocolError};
use crate::evaluation::{
    CHUNK_PROOF_BYTES, ChunkDigests, ChunkHeader, EvaluationLog, chunks, elements_digest,
};
use crate::hash::h256;
use crate::ids::Digest;
use crate::labels;
use crate::message::Message;
use crate::pair_log::EndReason;
use crate::prf::PrfValue;
use crate::responder::Receiving;
use crate::signature::{NodeSigner, Role, SignatureBytes, verify};
use crate::terms::{CLOCK_SKEW_MAX_S, Terms};

/// What a restart needs to go on with the evaluation; sealed or erased when the evaluation is complete.
#[derive(Clone, Encode, Decode, Zeroize, ZeroizeOnDrop)]
pub struct BlindingRecord {
    #[zeroize(skip)]
    terms: Terms,
    blind_seed: [u8; 32],
    item_seed: [u8; 32],
}

impl BlindingRecord {
    /// The record from its parts: after a restart, or in an audit with a seed that was opened.
    pub fn new(terms: Terms, blind_seed: [u8; 32], item_seed: [u8; 32]) -> Self {
        Self {
            terms,
            blind_seed,
            item_seed,
        }
    }

    /// The terms of the round.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The seed of every blind of the round: what an input audit opens.
    pub fn blind_seed(&self) -> &[u8; 32] {
        &self.blind_seed
    }

    /// The seed of the item ids, which the round needs until it closes.
    pub fn item_seed(&self) -> &[u8; 32] {
        &self.item_seed
    }
}

/// Sends blinded chunks and verifies their evaluations.
pub struct Blinding {
    record: BlindingRecord,
    tables: Arc<Vec<PublicKeyTable>>,
    sent: BTreeMap<ChunkHeader, Digest>,
    log: EvaluationLog,
}

impl Blinding {
    pub(super) fn new(
        terms: Terms,
        blind_seed: [u8; 32],
        item_seed: [u8; 32],
    ) -> Result<Self, PeerFault> {
        Self::restore(BlindingRecord::new(terms, blind_seed, item_seed), [], [])
    }

    /// Goes on after a restart: the chunks sent so far with the digests of their elements, and those verified.
    pub fn restore(
        record: BlindingRecord,
        sent: impl IntoIterator<Item = (ChunkHeader, Digest)>,
        verified: impl IntoIterator<Item = (ChunkHeader, ChunkDigests)>,
    ) -> Result<Self, PeerFault> {
        let tables = record
            .terms
            .offer()
            .key_types
            .iter()
            .zip(0_u8..)
            .map(|(key_type, index)| {
                PublicKey::from_bytes(&key_type.public_key)
                    .map(|public| PublicKeyTable::new(&public))
                    .map_err(|_| PeerFault::Possession(index))
            })
            .collect::<Result<_, _>>()?;
        let mut log = EvaluationLog::default();
        for (header, digests) in verified {
            log.insert(header, digests);
        }
        Ok(Self {
            record,
            tables: Arc::new(tables),
            sent: sent.into_iter().collect(),
            log,
        })
    }

    /// To be made durable before the first chunk leaves.
    pub fn record(&self) -> &BlindingRecord {
        &self.record
    }

    /// The terms of the round.
    pub fn terms(&self) -> &Terms {
        &self.record.terms
    }

    /// Chunks that are not verified yet.
    pub fn open_chunks(&self) -> Vec<ChunkHeader> {
        chunks(self.terms())
            .filter(|header| !self.log.contains(*header))
            .collect()
    }

    /// Chunks verified so far.
    pub fn chunks_done(&self) -> usize {
        self.log.len()
    }

    /// The work of blinding one chunk; runs on any thread.
    pub fn blind_job(&self, header: ChunkHeader) -> BlindJob {
        BlindJob {
            record: self.record.clone(),
            tables: Arc::clone(&self.tables),
            header,
        }
    }

    /// A chunk is about to leave; its digest must be durable first. A chunk that was sent before leaves only
    /// with the same content, since two blinded forms of two rows under one blind would open both.
    pub fn sending(&mut self, chunk: &BlindedChunk) -> Result<(), LocalFault> {
        let digest = self.sent.entry(chunk.header).or_insert(chunk.inputs);
        if *digest == chunk.inputs {
            Ok(())
        } else {
            Err(LocalFault::ChunkWouldDiffer(chunk.header))
        }
    }

    /// Notes a verified chunk whose values are durable.
    pub fn chunk_verified(&mut self, chunk: &VerifiedChunk) {
        self.log.insert(chunk.header, chunk.digests);
    }

    /// Every chunk is verified: signs the root.
    pub fn finish(self, signer: &NodeSigner) -> Result<(Evaluated, Message), LocalFault> {
        let terms = self.record.terms.clone();
        let root = self.log.root(&terms)?;
        let message = evaluated_message(&terms, root, signer);
        Ok((
            Evaluated {
                terms,
                item_seed: self.record.item_seed,
                evaluation_root: root,
            },
            message,
        ))
    }
}

fn evaluated_message(terms: &Terms, root: Digest, signer: &NodeSigner) -> Message {
    let parts: [&[u8]; 3] = [&Role::Responder.byte(), &terms.round_id().0, &root.0];
    Message::Evaluated {
        root,
        signature: signer.sign(labels::EVALUATION, &parts),
    }
}

/// The work of blinding one chunk.
pub struct BlindJob {
    record: BlindingRecord,
    tables: Arc<Vec<PublicKeyTable>>,
    header: ChunkHeader,
}

impl BlindJob {
    /// Blinds the chunk's real rows (the match keys of [`ChunkHeader::row_range`], which may be fewer than the chunk's
    /// rows) and fills up with padding rows that nobody can tell from real ones.
    ///
    /// # Panics
    /// If there are more real rows than the chunk has.
    pub fn run(self, kernel: Kernel, real_rows: &[&[u8]]) -> BlindedChunk {
        let header = self.header;
        let rows = header.row_range();
        assert!(
            real_rows.len() <= header.rows as usize,
            "no more rows than the terms say"
        );
        let padding: Vec<[u8; 32]> = rows
            .clone()
            .skip(real_rows.len())
            .map(|row| padding_row(&self.record.blind_seed, header.key_type, row))
            .collect();
        let inputs: Vec<&[u8]> = real_rows
            .iter()
            .copied()
            .chain(padding.iter().map(<[u8; 32]>::as_slice))
            .collect();
        let blinds: Vec<Blind> = inputs
            .iter()
            .zip(rows)
            .map(|(x, row)| self.blind(row, x))
            .collect();
        let domain_tag = self.record.terms.domain_tag(header.key_type);
        let (points, elements) = kernel.blind(&domain_tag, &inputs, &blinds);
        let inputs = elements_digest(&elements);
        BlindedChunk {
            header,
            elements,
            points,
            blinds,
            inputs,
            real_rows: real_rows.len(),
            domain_tag,
            record: self.record,
            tables: self.tables,
        }
    }

    /// `r_j`: belongs to one round, key type, row number and row content.
    fn blind(&self, row: u32, x: &[u8]) -> Blind {
        let mut mac = FramedHmacSha512::new(&self.record.blind_seed, labels::BLIND);
        mac.part(&self.record.terms.round_id().0)
            .part(&[self.header.key_type])
            .part(&row.to_le_bytes())
            .part(x);
        let mut wide = mac.finish();
        let blind = Blind::from_uniform_bytes(&wide);
        wide.zeroize();
        blind
    }
}

fn padding_row(seed: &[u8; 32], key_type: u8, row: u32) -> [u8; 32] {
    h256(
        labels::PADDING_ROW,
        &[seed, &[key_type], &row.to_le_bytes()],
    )
}

/// A chunk on its way: the elements that leave, and what is needed when they come back.
pub struct BlindedChunk {
    header: ChunkHeader,
    elements: Vec<Element>,
    points: Points,
    blinds: Vec<Blind>,
    inputs: Digest,
    real_rows: usize,
    domain_tag: Vec<u8>,
    record: BlindingRecord,
    tables: Arc<Vec<PublicKeyTable>>,
}

impl BlindedChunk {
    /// Which chunk.
    pub fn header(&self) -> ChunkHeader {
        self.header
    }

    /// Digest of the elements, to be made durable before they leave.
    pub fn inputs_digest(&self) -> Digest {
        self.inputs
    }

    /// The bytes of the chunk's stream: header, then elements.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes =
            Vec::with_capacity(crate::evaluation::CHUNK_HEADER_BYTES + 32 * self.elements.len());
        bytes.extend_from_slice(&self.header.to_bytes());
        for element in &self.elements {
            bytes.extend_from_slice(element);
        }
        bytes
    }

    /// Bytes that the reply must have.
    pub fn reply_bytes(&self) -> usize {
        32 * self.elements.len() + CHUNK_PROOF_BYTES
    }

    /// Verifies the whole chunk and only then unblinds it: `F(x)` of the real rows, in order.
    /// `match_keys`: the same real rows that were blinded.
    pub fn verify_and_unblind(
        self,
        kernel: Kernel,
        match_keys: &[&[u8]],
        reply: &[u8],
    ) -> Result<VerifiedChunk, PeerFault> {
        assert_eq!(
            match_keys.len(),
            self.real_rows,
            "the rows that were blinded"
        );
        let header = self.header;
        if reply.len() != self.reply_bytes() {
            let (expected, got) = (self.reply_bytes() as u64, reply.len() as u64);
            return Err(PeerFault::Length {
                what: "an evaluated chunk",
                expected,
                got,
            });
        }
        let (elements, proof) = reply.split_at(reply.len() - CHUNK_PROOF_BYTES);
        let (outputs, _) = elements.as_chunks::<32>();
        let proof: &[u8; CHUNK_PROOF_BYTES] = proof.try_into().expect("the last 64 bytes");
        let proof = ChunkProof::from_bytes(proof).map_err(|_| PeerFault::ChunkProof(header))?;
        let table = &self.tables[usize::from(header.key_type)];
        let context = header.proof_context(self.record.terms.round_id());
        let verified = kernel
            .verify(
                table.public(),
                &context,
                (&self.points, &self.elements),
                outputs,
                &proof,
            )
            .map_err(|error| match error {
                VerifyError::BadOutput(bad) => PeerFault::BadElement {
                    chunk: header,
                    index: u32::try_from(bad.index).expect("a chunk is small"),
                },
                VerifyError::Count { .. } | VerifyError::BadProof => PeerFault::ChunkProof(header),
            })?;
        let mut derived = kernel.unblind(table, &verified, &self.blinds);
        let public_key = table.public().to_bytes();
        let values = derived
            .iter()
            .zip(match_keys)
            .map(|(element, x)| PrfValue::new(&self.domain_tag, x, &public_key, element))
            .collect();
        derived.zeroize();
        let digests = ChunkDigests {
            inputs: self.inputs,
            outputs: elements_digest(outputs),
        };
        Ok(VerifiedChunk {
            header,
            digests,
            values,
        })
    }
}

/// A chunk whose proof holds; made by [`BlindedChunk::verify_and_unblind`] only.
///
/// ```compile_fail,E0451
/// # use mandorla_protocol::{ChunkDigests, ChunkHeader, PrfValue, responder::VerifiedChunk};
/// fn unverified(header: ChunkHeader, digests: ChunkDigests, values: Vec<PrfValue>) -> VerifiedChunk {
///     VerifiedChunk { header, digests, values }
/// }
/// ```
pub struct VerifiedChunk {
    header: ChunkHeader,
    digests: ChunkDigests,
    values: Vec<PrfValue>,
}

impl VerifiedChunk {
    /// Which chunk.
    pub fn header(&self) -> ChunkHeader {
        self.header
    }

    /// Digests of both directions, to be made durable with the values.
    pub fn digests(&self) -> ChunkDigests {
        self.digests
    }

    /// `F(x)` of the chunk's real rows, in order.
    pub fn values(&self) -> &[PrfValue] {
        &self.values
    }
}

/// All values are here; the blinding seed is not kept. Waits for the question, or for word that none comes.
#[derive(Clone, Encode, Decode)]
pub struct Evaluated {
    terms: Terms,
    item_seed: [u8; 32],
    evaluation_root: Digest,
}

impl Evaluated {
    /// The terms of the round.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Root over all chunks.
    pub fn evaluation_root(&self) -> Digest {
        self.evaluation_root
    }

    /// The message again, after a broken line.
    pub fn message(&self, signer: &NodeSigner) -> Message {
        evaluated_message(&self.terms, self.evaluation_root, signer)
    }

    /// The requester has the same root and no keys any more.
    pub fn handle_ack(&self, signature: &SignatureBytes) -> Result<(), PeerFault> {
        verify(
            "the evaluation",
            &self.terms.offer().requester.0,
            labels::EVALUATION,
            &[
                &Role::Requester.byte(),
                &self.terms.round_id().0,
                &self.evaluation_root.0,
            ],
            signature,
        )
    }

    /// A question is announced. Everything that can be checked before its cells come is checked here.
    /// `release_key`: the requester's, from the agreement.
    pub fn handle_seek(
        &self,
        seek: &Message,
        release_key: &[u8; 32],
        now: u64,
    ) -> Result<Receiving, ProtocolError> {
        let receiving = Receiving::announce(&self.terms, self.item_seed, seek, release_key)?;
        if now > self.terms.question_deadline() + CLOCK_SKEW_MAX_S {
            return Err(ProtocolError::Local(LocalFault::Lapsed));
        }
        Ok(receiving)
    }

    /// The round ends without a question.
    pub fn handle_withdraw(
        &self,
        reason: u8,
        signature: &SignatureBytes,
    ) -> Result<EndReason, PeerFault> {
        let parts: [&[u8]; 2] = [&self.terms.round_id().0, &[reason]];
        verify(
            "the withdrawal",
            &self.terms.offer().requester.0,
            labels::WITHDRAW,
            &parts,
            signature,
        )?;
        EndReason::from_byte(reason).ok_or(PeerFault::Malformed(CodecError::Invalid))
    }
}
