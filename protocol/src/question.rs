//! The question: subject numbers, cells, padding, and the checks that come before anything is joined.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

use crate::error::QuestionFault;
use crate::hash::h256;
use crate::ids::{Digest, RoundId};
use crate::labels;
use crate::prf::PrfValue;
use crate::terms::Terms;

/// Bytes of a cell behind its tag: subject number and key types present.
pub const PAYLOAD_BYTES: usize = 8;

/// What a cell tells a responder who holds its match key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payload {
    /// The requester's random number for one of its subjects, fresh per round.
    pub subject_number: u32,
    /// Bit t says that this subject has a match key of type t.
    pub key_types: u32,
}

impl Payload {
    fn to_bytes(self) -> [u8; PAYLOAD_BYTES] {
        let mut bytes = [0; PAYLOAD_BYTES];
        bytes[..4].copy_from_slice(&self.subject_number.to_le_bytes());
        bytes[4..].copy_from_slice(&self.key_types.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; PAYLOAD_BYTES]) -> Self {
        let word =
            |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        Self {
            subject_number: word(0),
            key_types: word(4),
        }
    }

    /// Masks or unmasks with `M(F, c)`.
    pub(crate) fn unmask(masked: &[u8], value: &PrfValue, round: RoundId, c: u32) -> Self {
        let mut bytes = value.mask(round, c);
        for (byte, &other) in bytes.iter_mut().zip(masked) {
            *byte ^= other;
        }
        Self::from_bytes(bytes)
    }
}

/// Distinct random 32-bit numbers for subjects 0, 1, …: the first not yet taken of
/// `H256("mandorla/1 subject number", seed, u32 index, u32 attempt)`.
pub fn subject_numbers(seed: &[u8; 32], subjects: u32) -> Vec<u32> {
    let mut taken = HashSet::with_capacity(subjects as usize);
    (0..subjects)
        .map(|index| {
            (0..=u32::MAX)
                .map(|attempt| number_candidate(seed, index, attempt))
                .find(|&number| taken.insert(number))
                .expect("fewer than 2^30 of 2^32 numbers are taken")
        })
        .collect()
}

fn number_candidate(seed: &[u8; 32], index: u32, attempt: u32) -> u32 {
    let hash = h256(
        labels::SUBJECT_NUMBER,
        &[seed, &index.to_le_bytes(), &attempt.to_le_bytes()],
    );
    u32::from_le_bytes(hash[..4].try_into().expect("four bytes"))
}

/// Writes the cell of the c-th subject that holds the match key with value F.
pub fn write_cell(terms: &Terms, value: &PrfValue, c: u32, payload: Payload, out: &mut Vec<u8>) {
    let round = terms.round_id();
    out.extend_from_slice(&value.tag(round, c)[..terms.cell_bytes() - PAYLOAD_BYTES]);
    let mask = value.mask(round, c);
    out.extend(
        payload
            .to_bytes()
            .iter()
            .zip(mask)
            .map(|(byte, mask)| byte ^ mask),
    );
}

/// Writes the j-th padding cell.
pub(crate) fn write_padding_cell(terms: &Terms, pad_seed: &[u8; 32], j: u32, out: &mut Vec<u8>) {
    let random = h256(labels::PADDING_CELL, &[pad_seed, &j.to_le_bytes()]);
    out.extend_from_slice(&random[..terms.cell_bytes()]);
}

/// Reads all cells of a question, in order, and checks them: number and strictly ascending tags; hashes them to the root.
///
/// Both sides run it: the requester to make the root, the responder before it acknowledges anything.
pub struct QuestionCheck {
    round: RoundId,
    cells: u64,
    cell_bytes: usize,
    tag_bytes: usize,
    count: u64,
    previous: Vec<u8>,
    hash: Sha256,
}

impl QuestionCheck {
    /// Expects what the terms fix.
    pub fn new(terms: &Terms) -> Self {
        let cell_bytes = terms.cell_bytes();
        Self {
            round: terms.round_id(),
            cells: terms.cells(),
            cell_bytes,
            tag_bytes: cell_bytes - PAYLOAD_BYTES,
            count: 0,
            previous: Vec::new(),
            hash: Sha256::new(),
        }
    }

    /// Takes the next cell.
    ///
    /// # Panics
    /// If `cell` does not have the terms' cell length; the caller cuts the stream.
    pub fn push(&mut self, cell: &[u8]) -> Result<(), QuestionFault> {
        assert_eq!(cell.len(), self.cell_bytes, "the caller cuts cells");
        if self.count == self.cells {
            return Err(QuestionFault::Count);
        }
        let tag = &cell[..self.tag_bytes];
        if self.count > 0 && self.previous.as_slice() >= tag {
            return Err(QuestionFault::Order);
        }
        self.previous.clear();
        self.previous.extend_from_slice(tag);
        self.count += 1;
        self.hash.update(cell);
        Ok(())
    }

    /// The root, if all cells came.
    pub fn finish(self) -> Result<CheckedQuestion, QuestionFault> {
        if self.count != self.cells {
            return Err(QuestionFault::Count);
        }
        let cells: [u8; 32] = self.hash.finalize().into();
        let root = h256(
            labels::QUESTION,
            &[&self.round.0, &self.count.to_le_bytes(), &cells],
        );
        Ok(CheckedQuestion {
            root: Digest(root),
            count: self.count,
        })
    }
}

/// The root of a question whose cells were all checked; made by [`QuestionCheck::finish`] only.
#[derive(Clone, Copy, Debug)]
pub struct CheckedQuestion {
    root: Digest,
    count: u64,
}

impl CheckedQuestion {
    /// Hash over round, number and all cells.
    pub fn root(&self) -> Digest {
        self.root
    }

    /// Number of cells, padding included.
    pub fn count(&self) -> u64 {
        self.count
    }
}
