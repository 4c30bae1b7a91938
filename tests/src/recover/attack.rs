//! Every guess tested against every byte of a round.
//!
//! For each candidate the attack computes what could stand in the messages if it were on a list, and looks whether it
//! does, at any offset: plain, salted and keyed hashes of the identifier with each public value; `H(x)` and `k·H(x)`
//! beside the blinded points and their evaluations; the PRF value, the tag of a cell and the hit key that follow from
//! `k·H(x)`; and the proof of each released item under that hit key. An attacker who does not know `k` takes 1.

use std::collections::HashSet;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use mandorla_kernels::{Blind, Element, EvaluationKey, FramedHmacSha512, Kernel, PublicKey};
use mandorla_protocol::{PAYLOAD_BYTES, PrfValue};
use sha2::{Digest, Sha256, Sha512};

use super::{CapturedRound, Jmbg, Searched, Space, search};

/// The only key type of a captured round.
const KEY_TYPE: u8 = 0;
/// Bytes of a value that must occur for a guess to count as confirmed. By chance that happens to one of 10^7 guesses
/// with probability below 10^-5.
const PRINT_BYTES: usize = 8;
/// The header of an answer, before its places.
const ANSWER_HEADER_BYTES: usize = 79;
/// An item's place up to its proofs: kind, item id, subject number, proven types.
const PLACE_HEADER_BYTES: usize = 25;
const PROOF_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
const CIPHER_TAG_BYTES: usize = 16;

/// Secrets that the attacker has got hold of; by default none.
#[derive(Clone, Copy, Default)]
pub struct Knowledge {
    /// The requester's key `k`.
    pub evaluation_key: Option<[u8; 32]>,
    /// The seed of the responder's blinds.
    pub blind_seed: Option<[u8; 32]>,
}

/// An enumeration against one round.
pub struct Attack<'a> {
    round: &'a CapturedRound,
    /// The first bytes of everything that stands anywhere in the messages.
    prints: HashSet<u64>,
    public_values: Vec<[u8; 32]>,
    places: Vec<Place<'a>>,
    key: EvaluationKey,
    public_key: Element,
    blind_seed: Option<[u8; 32]>,
    kernel: Kernel,
}

/// A place of an answer that holds an item.
struct Place<'a> {
    slot: u8,
    item_id: &'a [u8],
    subject_number: &'a [u8],
    proof: &'a [u8],
    ciphertext_digest: [u8; 32],
}

impl<'a> Attack<'a> {
    /// Prepares the attack with what the attacker knows besides the messages.
    ///
    /// # Panics
    /// If a given key is none, or the tags of the round are too short to tell a hit from chance.
    pub fn new(round: &'a CapturedRound, knowledge: Knowledge) -> Self {
        let one = {
            let mut one = [0; 32];
            one[0] = 1;
            one
        };
        let key = knowledge.evaluation_key.unwrap_or(one);
        let key = EvaluationKey::from_bytes(&key).expect("a key");
        assert!(
            round.terms().cell_bytes() - PAYLOAD_BYTES >= PRINT_BYTES,
            "tags of 8 bytes or more"
        );
        let windows = round
            .messages()
            .flat_map(|bytes| bytes.windows(PRINT_BYTES))
            .map(print);
        let public_key = round.terms().offer().key_types[usize::from(KEY_TYPE)].public_key;
        Self {
            prints: windows.collect(),
            public_values: round.public_values(),
            places: round
                .answers()
                .flat_map(|answer| places(round, answer))
                .collect(),
            key,
            public_key,
            blind_seed: knowledge.blind_seed,
            kernel: Kernel::detect().expect("a kernel level that this processor has"),
            round,
        }
    }

    /// Items whose proofs the guesses are tested against.
    pub fn items(&self) -> usize {
        self.places.len()
    }

    /// The numbers of `space` that something in the messages confirms, ascending.
    pub fn run(&self, space: &Space, limit: Option<Duration>) -> (Vec<Jmbg>, Searched) {
        let (mut found, searched) = search(space, limit, || {
            |batch: &[Jmbg], found: &mut Vec<Jmbg>| found.extend(self.confirmed(batch))
        });
        found.sort_unstable();
        (found, searched)
    }

    /// Those of some numbers that something in the messages confirms.
    pub fn confirmed(&self, numbers: &[Jmbg]) -> Vec<Jmbg> {
        let keys: Vec<Vec<u8>> = numbers.iter().map(match_key).collect();
        let slices: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let domain = self.round.terms().domain_tag(KEY_TYPE);
        let elements = self.kernel.derive(&self.key, &domain, &slices);
        let guesses = numbers.iter().zip(&slices).zip(&elements);
        let confirmed = guesses.filter(|((number, x), element)| {
            self.hash_is_there(number, x)
                || self.occurs(*element)
                || self.value_is_there(&PrfValue::new(&domain, x, &self.public_key, element))
                || self.blinded_point_is_there(&domain, x)
        });
        confirmed.map(|((number, _), _)| *number).collect()
    }

    fn occurs(&self, value: &[u8]) -> bool {
        self.prints.contains(&print(value))
    }

    /// A hash of the identifier, alone or with any public value on either side.
    fn hash_is_there(&self, number: &Jmbg, x: &[u8]) -> bool {
        [number.as_bytes().as_slice(), x]
            .into_iter()
            .any(|identifier| {
                self.occurs(&Sha256::digest(identifier))
                    || self.occurs(&Sha512::digest(identifier))
                    || self.public_values.iter().any(|public| {
                        let before = Sha256::new().chain_update(public).chain_update(identifier);
                        let after = Sha256::new().chain_update(identifier).chain_update(public);
                        let keyed = hmac(public).chain_update(identifier).finalize();
                        self.occurs(&before.finalize())
                            || self.occurs(&after.finalize())
                            || self.occurs(&keyed.into_bytes())
                    })
            })
    }

    /// A cell, a hit key or the proof of an item that follows from a PRF value.
    fn value_is_there(&self, value: &PrfValue) -> bool {
        let round = self.round.terms().round_id();
        let hit_key = value.hit_key(round);
        self.occurs(value.as_bytes())
            || self.occurs(&value.tag(round, 0))
            || self.occurs(hit_key.as_bytes())
            || self
                .places
                .iter()
                .any(|place| place.is_proven_by(hit_key.as_bytes(), &round.0))
    }

    /// The identifier's blinded point in any row, for who has the seed.
    fn blinded_point_is_there(&self, domain: &[u8], x: &[u8]) -> bool {
        let Some(seed) = self.blind_seed else {
            return false;
        };
        let (terms, rows) = (self.round.terms(), self.round.terms().rows(KEY_TYPE));
        let rows = u32::try_from(rows).expect("a class is at most 2^30");
        let blinds: Vec<Blind> = (0..rows)
            .map(|row| {
                let mut mac = FramedHmacSha512::new(&seed, "mandorla/1 blind");
                mac.part(&terms.round_id().0)
                    .part(&[KEY_TYPE])
                    .part(&row.to_le_bytes())
                    .part(x);
                Blind::from_uniform_bytes(&mac.finish())
            })
            .collect();
        let (_, elements) = self.kernel.blind(domain, &vec![x; blinds.len()], &blinds);
        elements.iter().any(|element| self.occurs(element))
    }

    /// Whether the proof of a released item is one under this number's hit key.
    pub fn proves_an_item(&self, number: &Jmbg) -> bool {
        let (x, terms) = (match_key(number), self.round.terms());
        let domain = terms.domain_tag(KEY_TYPE);
        let element = self.kernel.derive(&self.key, &domain, &[&x])[0];
        let value = PrfValue::new(&domain, &x, &self.public_key, &element);
        let hit_key = value.hit_key(terms.round_id());
        self.places
            .iter()
            .any(|place| place.is_proven_by(hit_key.as_bytes(), &terms.round_id().0))
    }

    /// Whether the attacker has the key of this round.
    pub fn has_the_rounds_key(&self) -> bool {
        PublicKey::from_bytes(&self.public_key).is_ok_and(|public| public == self.key.public())
    }
}

impl Place<'_> {
    fn is_proven_by(&self, hit_key: &[u8; 32], round_id: &[u8; 32]) -> bool {
        let mut mac = hmac(hit_key);
        mac.update(&framed(
            "mandorla/1 hit proof",
            &[
                round_id,
                &[self.slot],
                self.item_id,
                self.subject_number,
                &[KEY_TYPE],
                &self.ciphertext_digest,
            ],
        ));
        mac.finalize().into_bytes().as_slice() == self.proof
    }
}

/// The places of an answer that hold an item, cut as the protocol's section 8 says.
fn places<'a>(round: &CapturedRound, answer: &'a [u8]) -> Vec<Place<'a>> {
    let offer = round.terms().offer();
    let slot = answer[8 + 32];
    let ciphertext_bytes = offer.item_bytes as usize + CIPHER_TAG_BYTES;
    let proofs_bytes = PROOF_BYTES * offer.key_types.len();
    let place_bytes = PLACE_HEADER_BYTES + proofs_bytes + ciphertext_bytes + SIGNATURE_BYTES;
    let places =
        answer[ANSWER_HEADER_BYTES..answer.len() - SIGNATURE_BYTES].chunks_exact(place_bytes);
    places
        .filter(|place| place[0] == 1)
        .map(|place| {
            let (header, rest) = place.split_at(PLACE_HEADER_BYTES);
            let (proofs, rest) = rest.split_at(proofs_bytes);
            Place {
                slot,
                item_id: &header[1..17],
                subject_number: &header[17..21],
                proof: &proofs[..PROOF_BYTES],
                ciphertext_digest: Sha256::digest(&rest[..ciphertext_bytes]).into(),
            }
        })
        .collect()
}

/// The canonical value of a match key that consists of the number alone.
fn match_key(number: &Jmbg) -> Vec<u8> {
    let digits = number.as_bytes();
    let length = u16::try_from(digits.len()).expect("thirteen digits");
    [&length.to_le_bytes()[..], digits].concat()
}

fn print(value: &[u8]) -> u64 {
    u64::from_le_bytes(value[..PRINT_BYTES].try_into().expect("eight bytes"))
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

/// `framed` of the protocol's section 1.
fn framed(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(label.len()).expect("labels are short")];
    bytes.extend_from_slice(label.as_bytes());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}
