//! One released hit: its place in an answer, sealed by the responder's review desk, opened by the requester.
//!
//! ```text
//! place = kind(1) ‖ item id(16) ‖ subject number(4) ‖ proven types(4) ‖ proofs(32 each) ‖ ciphertext ‖ signature(64)
//! ```
//! An item is a function of (requester's subject, own subject, decision, terms) only.

use bincode::{Decode, Encode};
use chacha20poly1305::aead::{Aead, KeyInit, Payload as AeadPayload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::codec::{CONTROL_BYTES_MAX, decode, encode};
use crate::error::LocalFault;
use crate::hash::{framed, h256};
use crate::ids::{Digest, ItemId, RoundId};
use crate::labels;
use crate::prf::HitKey;
use crate::signature::{ReleaseSigner, SignatureBytes, verify};
use crate::terms::Terms;

const KIND_ITEM: u8 = 1;
const HEAD_BYTES: usize = 25;
const PROOF_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const SIGNATURE_BYTES: usize = 64;
/// Before the package: its length.
const LENGTH_BYTES: usize = 4;

/// Bytes of a place under the terms.
pub fn place_bytes(terms: &Terms) -> usize {
    place_bytes_for(terms.key_types(), terms.offer().item_bytes)
}

/// Bytes of a place with so many key types and so large a package.
pub(crate) fn place_bytes_for(key_types: usize, item_bytes: u32) -> usize {
    HEAD_BYTES + PROOF_BYTES * key_types + item_bytes as usize + TAG_BYTES + SIGNATURE_BYTES
}

/// What a released item tells, encrypted under all proven hit keys.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Package {
    /// Released fields: name and values.
    pub fields: Vec<(String, Vec<String>)>,
    /// Key types that both subjects have and that disagree: the responder's statement, made only if all
    /// source values of those keys are released.
    pub conflicting_types: u32,
    /// Handling code.
    pub handling: String,
}

impl Package {
    /// Whether the package fits into an item.
    pub fn check_size(&self, terms: &Terms) -> Result<(), LocalFault> {
        let got = encode(self).len();
        let room = (terms.offer().item_bytes as usize).saturating_sub(LENGTH_BYTES);
        let max = room.min(CONTROL_BYTES_MAX);
        if got > max {
            Err(LocalFault::PackageTooLarge { got, max })
        } else {
            Ok(())
        }
    }
}

/// One released hit before it is sealed.
pub struct Release<'a> {
    /// The answer slot that it goes out at.
    pub slot: u8,
    /// The requester's number for its subject.
    pub subject_number: u32,
    /// Reference of the own subject; names the item, never leaves.
    pub own_reference: &'a str,
    /// The proven match keys, one per key type, ascending by type.
    pub proven: Vec<(u8, HitKey)>,
    /// What is released.
    pub package: Package,
}

/// A place of an answer that holds an item; sealing it is the release.
///
/// Only code that holds the release key can make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleasedItem {
    item_id: ItemId,
    slot: u8,
    place: Vec<u8>,
}

impl ReleasedItem {
    /// Encrypts, proves and signs a release.
    pub fn seal(
        terms: &Terms,
        item_seed: &[u8; 32],
        release: &Release<'_>,
        signer: &ReleaseSigner,
    ) -> Result<Self, LocalFault> {
        if release.proven.is_empty() {
            return Err(LocalFault::NothingProven);
        }
        if release.slot >= terms.slots() {
            return Err(LocalFault::NoPlace(release.slot));
        }
        release.package.check_size(terms)?;
        let round = terms.round_id();
        let item_id = item_id(
            round,
            item_seed,
            release.subject_number,
            release.own_reference,
        );
        let mask = release
            .proven
            .iter()
            .fold(0_u32, |mask, (key_type, _)| mask | 1 << key_type);
        let mut place = Vec::with_capacity(place_bytes(terms));
        place.push(KIND_ITEM);
        place.extend_from_slice(&item_id.0);
        place.extend_from_slice(&release.subject_number.to_le_bytes());
        place.extend_from_slice(&mask.to_le_bytes());

        let context = ItemContext {
            round,
            slot: release.slot,
            item_id,
            subject_number: release.subject_number,
        };
        let ciphertext = context.encrypt(terms, &place, &release.package, &release.proven);
        let package_digest: [u8; 32] = Sha256::digest(&ciphertext).into();
        let mut proofs = vec![0; PROOF_BYTES * terms.key_types()];
        for (key_type, hit_key) in &release.proven {
            let at = PROOF_BYTES * usize::from(*key_type);
            proofs[at..at + PROOF_BYTES].copy_from_slice(
                &context
                    .prove(*key_type, hit_key, &package_digest)
                    .finalize()
                    .into_bytes(),
            );
        }
        place.extend_from_slice(&proofs);
        place.extend_from_slice(&ciphertext);
        let signature = signer.sign(labels::ITEM, &[&round.0, &[release.slot], &place]);
        place.extend_from_slice(&signature);
        Ok(Self {
            item_id,
            slot: release.slot,
            place,
        })
    }

    /// Random-looking name of the item.
    pub fn item_id(&self) -> ItemId {
        self.item_id
    }

    /// The slot it goes out at.
    pub fn slot(&self) -> u8 {
        self.slot
    }

    /// The bytes that leave, [`place_bytes`] long.
    pub fn place(&self) -> &[u8] {
        &self.place
    }

    /// Restores a place that was made durable.
    pub fn from_durable(slot: u8, place: Vec<u8>) -> Option<Self> {
        let item_id = ItemId(place.get(1..17)?.try_into().ok()?);
        (place[0] == KIND_ITEM).then_some(Self {
            item_id,
            slot,
            place,
        })
    }
}

/// The name of the item for a pair of subjects, fixed for the round.
pub(crate) fn item_id(
    round: RoundId,
    item_seed: &[u8; 32],
    subject_number: u32,
    own_reference: &str,
) -> ItemId {
    let hash = h256(
        labels::ITEM_ID,
        &[
            item_seed,
            &round.0,
            &subject_number.to_le_bytes(),
            own_reference.as_bytes(),
        ],
    );
    ItemId(hash[..16].try_into().expect("sixteen bytes"))
}

/// What the requester's node knows about its own subjects: candidates for the proofs of an item.
pub trait HitKeys {
    /// The hit keys of the subject with this number and of this key type; empty if there is none.
    fn hit_keys(&self, subject_number: u32, key_type: u8) -> Vec<HitKey>;
}

/// A released item as the requester opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedItem {
    /// Name of the item.
    pub item_id: ItemId,
    /// The own subject's number.
    pub subject_number: u32,
    /// Proven key types, one bit each.
    pub proven_types: u32,
    /// What was released.
    pub package: Package,
}

/// Why an item of a well-formed answer is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Quarantine {
    /// Kind byte, reserved bytes or proven types are not well-formed.
    #[error("the item is malformed")]
    Malformed,
    /// The signature of the responder's review desk does not verify.
    #[error("the review desk's signature does not verify")]
    Signature,
    /// It proves nothing, or a proof fails for every match key of that subject.
    #[error("the proof for key type {0} does not verify")]
    Proof(u8),
    /// The package does not decrypt or decode.
    #[error("the package does not open")]
    Package,
}

/// Opens one place. `Ok(None)`: a dummy.
pub(crate) fn open_place(
    terms: &Terms,
    slot: u8,
    place: &[u8],
    release_key: &[u8; 32],
    keys: &impl HitKeys,
) -> Result<Option<OpenedItem>, Quarantine> {
    if place.iter().all(|&byte| byte == 0) {
        return Ok(None);
    }
    let (body, signature) = place.split_at(place.len() - SIGNATURE_BYTES);
    let signature: &SignatureBytes = signature.try_into().expect("the last 64 bytes");
    let round = terms.round_id();
    verify(
        "the review desk",
        release_key,
        labels::ITEM,
        &[&round.0, &[slot], body],
        signature,
    )
    .map_err(|_| Quarantine::Signature)?;

    let word = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().expect("four bytes"));
    let (subject_number, proven_types) = (word(17), word(21));
    if body[0] != KIND_ITEM
        || u64::from(proven_types) >> terms.key_types() != 0
        || proven_types == 0
    {
        return Err(Quarantine::Malformed);
    }
    let item_id = ItemId(body[1..17].try_into().expect("sixteen bytes"));
    let context = ItemContext {
        round,
        slot,
        item_id,
        subject_number,
    };
    let (proofs, ciphertext) = body[HEAD_BYTES..].split_at(PROOF_BYTES * terms.key_types());
    let package_digest: [u8; 32] = Sha256::digest(ciphertext).into();
    let mut unproven = (0_u8..)
        .zip(proofs.chunks_exact(PROOF_BYTES))
        .filter(|(t, _)| proven_types & 1 << t == 0);
    if unproven.any(|(_, proof)| proof.iter().any(|&byte| byte != 0)) {
        return Err(Quarantine::Malformed);
    }
    let mut proven = Vec::new();
    for key_type in (0..32_u8).filter(|t| proven_types & 1 << t != 0) {
        let at = PROOF_BYTES * usize::from(key_type);
        let proof = &proofs[at..at + PROOF_BYTES];
        let hit_key = keys
            .hit_keys(subject_number, key_type)
            .into_iter()
            .find(|key| {
                let expected = context
                    .prove(key_type, key, &package_digest)
                    .finalize()
                    .into_bytes();
                bool::from(expected.as_slice().ct_eq(proof))
            })
            .ok_or(Quarantine::Proof(key_type))?;
        proven.push((key_type, hit_key));
    }
    let package = context
        .decrypt(&body[..HEAD_BYTES], ciphertext, &proven)
        .ok_or(Quarantine::Package)?;
    Ok(Some(OpenedItem {
        item_id,
        subject_number,
        proven_types,
        package,
    }))
}

struct ItemContext {
    round: RoundId,
    slot: u8,
    item_id: ItemId,
    subject_number: u32,
}

impl ItemContext {
    fn prove(&self, key_type: u8, hit_key: &HitKey, package_digest: &[u8; 32]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(hit_key.as_bytes())
            .expect("HMAC takes any key");
        mac.update(&framed(
            labels::HIT_PROOF,
            &[
                &self.round.0,
                &[self.slot],
                &self.item_id.0,
                &self.subject_number.to_le_bytes(),
                &[key_type],
                package_digest,
            ],
        ));
        mac
    }

    fn cipher(&self, proven: &[(u8, HitKey)]) -> ChaCha20Poly1305 {
        let mut material = Zeroizing::new(Vec::with_capacity(32 * proven.len()));
        for (_, hit_key) in proven {
            material.extend_from_slice(hit_key.as_bytes());
        }
        let mut key = Zeroizing::new([0; 32]);
        let info = framed(
            labels::PACKAGE_KEY,
            &[
                &[self.slot],
                &self.item_id.0,
                &self.subject_number.to_le_bytes(),
            ],
        );
        Hkdf::<Sha256>::new(Some(&self.round.0), &material)
            .expand(&info, key.as_mut_slice())
            .expect("32 bytes are within HKDF's limit");
        ChaCha20Poly1305::new((&*key).into())
    }

    /// One key encrypts one package only, so the nonce is zero.
    fn encrypt(
        &self,
        terms: &Terms,
        head: &[u8],
        package: &Package,
        proven: &[(u8, HitKey)],
    ) -> Vec<u8> {
        let package = encode(package);
        let length = u32::try_from(package.len()).expect("a package fits an item");
        let mut plaintext = Zeroizing::new(vec![0; terms.offer().item_bytes as usize]);
        plaintext[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        plaintext[LENGTH_BYTES..LENGTH_BYTES + package.len()].copy_from_slice(&package);
        let aad = self.associated_data(head);
        self.cipher(proven)
            .encrypt(
                &Nonce::default(),
                AeadPayload {
                    msg: &plaintext,
                    aad: &aad,
                },
            )
            .expect("an item is far below the cipher's limit")
    }

    fn decrypt(&self, head: &[u8], ciphertext: &[u8], proven: &[(u8, HitKey)]) -> Option<Package> {
        let aad = self.associated_data(head);
        let plaintext = self
            .cipher(proven)
            .decrypt(
                &Nonce::default(),
                AeadPayload {
                    msg: ciphertext,
                    aad: &aad,
                },
            )
            .ok()
            .map(Zeroizing::new)?;
        let (length, rest) = plaintext.split_first_chunk::<LENGTH_BYTES>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let package = rest.get(..length)?;
        if rest[length..].iter().any(|&byte| byte != 0) {
            return None;
        }
        decode(package).ok()
    }

    fn associated_data(&self, head: &[u8]) -> Vec<u8> {
        framed(labels::PACKAGE, &[&self.round.0, &[self.slot], head])
    }
}

/// Digest of a released place, for the ledger.
pub fn place_digest(place: &[u8]) -> Digest {
    Digest(Sha256::digest(place).into())
}
