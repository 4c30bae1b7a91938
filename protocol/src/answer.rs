//! The answer of a slot: always there, always of the same size.
//!
//! ```text
//! answer = "MNDRANS1" ‖ round id ‖ slot(1) ‖ places(2) ‖ place bytes(4) ‖ ledger commitment(32) ‖ places… ‖ signature(64)
//! ```

use crate::error::{LocalFault, PeerFault};
use crate::hash::h256;
use crate::ids::Digest;
use crate::item::{HitKeys, OpenedItem, Quarantine, ReleasedItem, open_place, place_bytes};
use crate::labels;
use crate::signature::{NodeSigner, SignatureBytes, verify};
use crate::terms::Terms;

const MAGIC: &[u8; 8] = b"MNDRANS1";
const HEADER_BYTES: usize = 79;
const SIGNATURE_BYTES: usize = 64;
/// Where the slot stands, behind magic and round id.
const SLOT_AT: usize = 40;

/// Bytes of every answer under the terms.
pub fn answer_bytes(terms: &Terms) -> usize {
    answer_bytes_for(terms.offer().max_release, place_bytes(terms))
}

/// Bytes of an answer with so many places of such a size.
pub(crate) fn answer_bytes_for(places: u16, place_bytes: usize) -> usize {
    HEADER_BYTES + usize::from(places) * place_bytes + SIGNATURE_BYTES
}

/// A frozen answer: what the slot serves, however often it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    bytes: Vec<u8>,
    digest: Digest,
}

impl Answer {
    /// Puts the released items of a slot into their places, in order of their ids, and signs.
    pub(crate) fn freeze(
        terms: &Terms,
        slot: u8,
        items: &[ReleasedItem],
        ledger_commitment: &Digest,
        signer: &NodeSigner,
    ) -> Result<Self, LocalFault> {
        let places = usize::from(terms.offer().max_release);
        let wrong = items
            .iter()
            .any(|item| item.slot() != slot || item.place().len() != place_bytes(terms));
        if items.len() > places || wrong {
            return Err(LocalFault::NoPlace(slot));
        }
        let mut sorted: Vec<_> = items.iter().collect();
        sorted.sort_by_key(|item| item.item_id());

        let mut bytes = Vec::with_capacity(answer_bytes(terms));
        bytes.extend_from_slice(&header(terms, slot));
        bytes.extend_from_slice(&ledger_commitment.0);
        for item in sorted {
            bytes.extend_from_slice(item.place());
        }
        bytes.resize(answer_bytes(terms) - SIGNATURE_BYTES, 0);
        let digest = Digest(h256(labels::ANSWER, &[&bytes]));
        bytes.extend_from_slice(&signer.sign(labels::ANSWER, &[&digest.0]));
        Ok(Self { bytes, digest })
    }

    /// Restores an answer that was made durable, checking shape and signature.
    pub fn from_durable(terms: &Terms, slot: u8, bytes: Vec<u8>) -> Result<Self, PeerFault> {
        let digest = check(terms, slot, &bytes)?;
        Ok(Self { bytes, digest })
    }

    /// The bytes that are served.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The slot that it answers.
    pub fn slot(&self) -> u8 {
        self.bytes[SLOT_AT]
    }

    /// The digest that the receipt covers.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

fn header(terms: &Terms, slot: u8) -> [u8; HEADER_BYTES - 32] {
    let mut header = [0; HEADER_BYTES - 32];
    let places = u32::try_from(place_bytes(terms)).expect("an item is below 4 GiB");
    header[..8].copy_from_slice(MAGIC);
    header[8..40].copy_from_slice(&terms.round_id().0);
    header[SLOT_AT] = slot;
    header[41..43].copy_from_slice(&terms.offer().max_release.to_le_bytes());
    header[43..47].copy_from_slice(&places.to_le_bytes());
    header
}

/// Checks shape and signature of an answer and gives its digest. The items stay closed.
pub(crate) fn check(terms: &Terms, slot: u8, bytes: &[u8]) -> Result<Digest, PeerFault> {
    let expected = answer_bytes(terms);
    if bytes.len() != expected {
        let (expected, got) = (expected as u64, bytes.len() as u64);
        return Err(PeerFault::Length {
            what: "an answer",
            expected,
            got,
        });
    }
    let (body, signature) = bytes.split_at(expected - SIGNATURE_BYTES);
    if !body.starts_with(&header(terms, slot)) {
        return Err(PeerFault::Answer(slot));
    }
    let signature: &SignatureBytes = signature.try_into().expect("the last 64 bytes");
    let digest = Digest(h256(labels::ANSWER, &[body]));
    verify(
        "the answer",
        &terms.offer().responder.0,
        labels::ANSWER,
        &[&digest.0],
        signature,
    )?;
    Ok(digest)
}

/// Opens every place of a checked answer: released items, and those set aside with the place they stood in.
pub(crate) fn open(
    terms: &Terms,
    slot: u8,
    bytes: &[u8],
    release_key: &[u8; 32],
    keys: &impl HitKeys,
) -> Vec<Result<OpenedItem, (u16, Quarantine)>> {
    bytes[HEADER_BYTES..bytes.len() - SIGNATURE_BYTES]
        .chunks_exact(place_bytes(terms))
        .zip(0_u16..)
        .filter_map(
            |(place, index)| match open_place(terms, slot, place, release_key, keys) {
                Ok(None) => None,
                Ok(Some(item)) => Some(Ok(item)),
                Err(quarantine) => Some(Err((index, quarantine))),
            },
        )
        .collect()
}
