//! The layout of a run file: see the picture in the parent module.

use sha2::{Digest as _, Sha256};

/// Most bytes of records in a block: large enough that its checksum costs a thousandth of the
/// space, small enough that a look-up which reads one block is quick.
pub const RUN_BLOCK_BYTES: usize = 64 * 1024;

pub(super) const HEADER_BYTES: usize = 32;
pub(super) const FOOTER_BYTES: usize = 56;
pub(super) const DIGEST_BYTES: usize = 32;

const HEADER_MAGIC: [u8; 8] = *b"MNDRUN1\0";
const FOOTER_MAGIC: [u8; 8] = *b"MNDRUNE\0";
const BLOCK_LABEL: &[u8] = b"mandorla run block 1\0";
const FILE_LABEL: &[u8] = b"mandorla run file 1\0";

/// What the records are: numbers assigned by the code that writes and reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunKind(pub u16);

/// The order of the records, compared as byte strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOrder {
    /// As they were pushed.
    Unsorted,
    /// Ascending; equal records may follow one another.
    Ascending,
    /// Ascending, and no two are equal.
    StrictlyAscending,
}

impl RunOrder {
    /// Whether `next` may follow `previous`.
    pub(super) fn admits(self, previous: &[u8], next: &[u8]) -> bool {
        match self {
            Self::Unsorted => true,
            Self::Ascending => previous <= next,
            Self::StrictlyAscending => previous < next,
        }
    }

    fn code(self) -> u32 {
        match self {
            Self::Unsorted => 0,
            Self::Ascending => 1,
            Self::StrictlyAscending => 2,
        }
    }

    fn from_code(code: u32) -> Option<Self> {
        [Self::Unsorted, Self::Ascending, Self::StrictlyAscending]
            .into_iter()
            .find(|order| order.code() == code)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: RunKind,
    /// At least 1.
    pub(super) record_bytes: u16,
    pub(super) order: RunOrder,
}

impl Header {
    /// Whole records in a full block; at least 1, because a `u16` is less than the block size.
    pub(super) fn block_records(self) -> usize {
        RUN_BLOCK_BYTES / usize::from(self.record_bytes)
    }

    pub(super) fn block_bytes(self) -> usize {
        self.block_records() * usize::from(self.record_bytes)
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&HEADER_MAGIC);
        bytes[8..10].copy_from_slice(&self.kind.0.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.record_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.order.code().to_le_bytes());
        bytes[16..20].copy_from_slice(&(self.block_bytes() as u32).to_le_bytes());
        bytes
    }

    /// `None` unless these are the bytes of a header.
    pub(super) fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let header = Self {
            kind: RunKind(u16::from_le_bytes([bytes[8], bytes[9]])),
            record_bytes: u16::from_le_bytes([bytes[10], bytes[11]]),
            order: RunOrder::from_code(u32::from_le_bytes(*bytes[12..].first_chunk()?))?,
        };
        (header.record_bytes > 0 && header.to_bytes() == *bytes).then_some(header)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) records: u64,
    pub(super) blocks: u64,
    pub(super) digest: [u8; DIGEST_BYTES],
}

impl Footer {
    pub(super) fn to_bytes(self) -> [u8; FOOTER_BYTES] {
        let mut bytes = [0; FOOTER_BYTES];
        bytes[..8].copy_from_slice(&self.records.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.blocks.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.digest);
        bytes[48..].copy_from_slice(&FOOTER_MAGIC);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; FOOTER_BYTES]) -> Option<Self> {
        let (records, rest) = bytes.split_first_chunk()?;
        let (blocks, rest) = rest.split_first_chunk()?;
        let (digest, magic) = rest.split_first_chunk()?;
        let footer = Self {
            records: u64::from_le_bytes(*records),
            blocks: u64::from_le_bytes(*blocks),
            digest: *digest,
        };
        (magic == FOOTER_MAGIC).then_some(footer)
    }

    /// The length of the whole file that the counts imply; `None` if they contradict each other.
    pub(super) fn file_bytes(self, header: Header) -> Option<u64> {
        if self.blocks != self.records.div_ceil(header.block_records() as u64) {
            return None;
        }
        let records = self.records.checked_mul(u64::from(header.record_bytes))?;
        let table = self.blocks.checked_mul(DIGEST_BYTES as u64)?;
        records
            .checked_add(table)?
            .checked_add((HEADER_BYTES + FOOTER_BYTES) as u64)
    }
}

pub(super) fn block_digest(header: Header, block: u64, records: &[u8]) -> [u8; DIGEST_BYTES] {
    Sha256::new()
        .chain_update(BLOCK_LABEL)
        .chain_update(header.to_bytes())
        .chain_update(block.to_le_bytes())
        .chain_update(records)
        .finalize()
        .into()
}

pub(super) fn file_digest(
    header: Header,
    records: u64,
    table: &[[u8; DIGEST_BYTES]],
) -> [u8; DIGEST_BYTES] {
    Sha256::new()
        .chain_update(FILE_LABEL)
        .chain_update(header.to_bytes())
        .chain_update(records.to_le_bytes())
        .chain_update((table.len() as u64).to_le_bytes())
        .chain_update(table.as_flattened())
        .finalize()
        .into()
}
