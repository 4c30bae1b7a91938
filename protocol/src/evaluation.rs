//! Chunks of the blinded evaluation, and the root over all of them.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use mandorla_kernels::Element;
use sha2::{Digest as _, Sha256};

use crate::error::{LocalFault, PeerFault};
use crate::hash::framed;
use crate::ids::{Digest, RoundId};
use crate::labels;
use crate::merkle;
use crate::terms::{SUITE, Terms};

/// Rows of a full chunk: 128 KiB each way, one proof each.
pub const CHUNK_ROWS: u32 = 4_096;
/// Bytes of a chunk header on the wire.
pub const CHUNK_HEADER_BYTES: usize = 12;
/// Bytes of a chunk proof.
pub const CHUNK_PROOF_BYTES: usize = 64;
/// First byte of a chunk's stream.
const CHUNK_STREAM: u8 = 1;

/// Which chunk: key type, index, and how many rows it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct ChunkHeader {
    /// Index of the match-key type in the terms.
    pub key_type: u8,
    /// Index of the chunk within its key type.
    pub chunk: u32,
    /// Rows of this chunk.
    pub rows: u32,
}

impl ChunkHeader {
    /// `u8 1 ‖ u8 type ‖ u16 0 ‖ u32 chunk ‖ u32 rows`.
    pub fn to_bytes(self) -> [u8; CHUNK_HEADER_BYTES] {
        let mut bytes = [0; CHUNK_HEADER_BYTES];
        bytes[0] = CHUNK_STREAM;
        bytes[1] = self.key_type;
        bytes[4..8].copy_from_slice(&self.chunk.to_le_bytes());
        bytes[8..].copy_from_slice(&self.rows.to_le_bytes());
        bytes
    }

    /// Reads a header; whether the terms have such a chunk is checked by the machine.
    pub fn from_bytes(bytes: &[u8; CHUNK_HEADER_BYTES]) -> Result<Self, PeerFault> {
        let word =
            |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let header = Self {
            key_type: bytes[1],
            chunk: word(4),
            rows: word(8),
        };
        if header.to_bytes() == *bytes {
            Ok(header)
        } else {
            Err(PeerFault::Unexpected {
                got: "another stream",
                expected: "a chunk",
            })
        }
    }

    /// The rows of its key type that this chunk holds.
    pub fn row_range(self) -> std::ops::Range<u32> {
        let start = self.chunk * CHUNK_ROWS;
        start..start + self.rows
    }

    /// What the chunk's proof is about besides the elements.
    pub(crate) fn proof_context(self, round: RoundId) -> Vec<u8> {
        framed(
            labels::CHUNK,
            &[
                &SUITE.to_le_bytes(),
                &round.0,
                &[self.key_type],
                &self.chunk.to_le_bytes(),
                &self.rows.to_le_bytes(),
            ],
        )
    }
}

/// Every chunk of a round, by key type, then index.
pub fn chunks(terms: &Terms) -> impl Iterator<Item = ChunkHeader> + '_ {
    let types = u8::try_from(terms.key_types()).expect("at most 32 key types");
    (0..types).flat_map(move |key_type| {
        let rows = u32::try_from(terms.rows(key_type)).expect("a class is at most 2^30");
        (0..rows.div_ceil(CHUNK_ROWS)).map(move |chunk| ChunkHeader {
            key_type,
            chunk,
            rows: rows.min(CHUNK_ROWS),
        })
    })
}

/// SHA-256 of a chunk's elements, both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ChunkDigests {
    /// Of the blinded elements.
    pub inputs: Digest,
    /// Of the evaluated elements.
    pub outputs: Digest,
}

/// SHA-256 over elements one after the other.
pub fn elements_digest(elements: &[Element]) -> Digest {
    let mut hash = Sha256::new();
    for element in elements {
        hash.update(element);
    }
    Digest(hash.finalize().into())
}

/// Which chunks are known, and their digests: the same on both sides.
#[derive(Clone, Debug, Default)]
pub(crate) struct EvaluationLog {
    done: BTreeMap<ChunkHeader, ChunkDigests>,
}

impl EvaluationLog {
    pub(crate) fn insert(&mut self, header: ChunkHeader, digests: ChunkDigests) {
        self.done.insert(header, digests);
    }

    pub(crate) fn contains(&self, header: ChunkHeader) -> bool {
        self.done.contains_key(&header)
    }

    pub(crate) fn len(&self) -> usize {
        self.done.len()
    }

    /// RFC 6962 root over every chunk of the terms.
    pub(crate) fn root(&self, terms: &Terms) -> Result<Digest, LocalFault> {
        let mut tree = merkle::Frontier::new();
        for header in chunks(terms) {
            let digests = self.done.get(&header).ok_or(LocalFault::ChunksMissing)?;
            let leaf = framed(
                labels::EVALUATION_LEAF,
                &[
                    &[header.key_type],
                    &header.chunk.to_le_bytes(),
                    &header.rows.to_le_bytes(),
                    &digests.inputs.0,
                    &digests.outputs.0,
                ],
            );
            tree.append(merkle::leaf_hash(&leaf));
        }
        Ok(Digest(tree.root()))
    }
}
