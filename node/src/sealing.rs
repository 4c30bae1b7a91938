//! Sealing the seed of a round's blinds to the agency's own auditor.
//!
//! ```text
//!  sealed = enc (32) ‖ ciphertext (32) ‖ tag (16)
//!  HPKE, RFC 9180, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305
//!  info = "mandorla/1 blinding seed"      aad = round id (32) ‖ evaluation root (32)
//! ```
//! Who holds the seed can recompute every blinded element of the round from the match keys. So the node keeps no more of
//! it than what only the auditor can open, bound to the round and to the evaluation that it belongs to.

use std::fmt;
use std::str::FromStr;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use hpke::{setup_receiver, single_shot_open, single_shot_seal_with_rng};
use mandorla_protocol::{Digest, RoundId};
use rand_core::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

const INFO: &[u8] = b"mandorla/1 blinding seed";
/// Of an encapsulated X25519 key.
const ENC_BYTES: usize = 32;
/// Encapsulated key, the seed, the tag of ChaCha20Poly1305.
const SEALED_SEED_BYTES: usize = ENC_BYTES + 32 + 16;

/// The auditor's public key (X25519): no point of small order, which would give everybody the shared secret.
#[derive(Clone, PartialEq, Eq)]
pub struct AuditorPublicKey(PublicKey);

/// Text that is no [`AuditorPublicKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an auditor's key is 64 hexadecimal digits that are a point of X25519 of large order")]
pub struct InvalidAuditorKey;

impl AuditorPublicKey {
    /// Seals the seed of a round's blinds.
    pub(crate) fn seal(
        &self,
        seed: &[u8; 32],
        round: RoundId,
        evaluation_root: Digest,
        rng: &mut impl CryptoRng,
    ) -> SealedSeed {
        let sealed = seal_to(&self.0, INFO, &aad(round, evaluation_root), seed, rng);
        SealedSeed(sealed.try_into().expect("the lengths of this suite"))
    }
}

impl FromStr for AuditorPublicKey {
    type Err = InvalidAuditorKey;

    fn from_str(text: &str) -> Result<Self, InvalidAuditorKey> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidAuditorKey)?;
        // Any private key is a multiple of 8: with a point of small order its product is zero, which is refused.
        let (private, _) = X25519HkdfSha256::derive_keypair(&[0; 32]);
        let as_enc = EncappedKey::from_bytes(&bytes).map_err(|_| InvalidAuditorKey)?;
        setup_receiver::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &private,
            &as_enc,
            INFO,
        )
        .map_err(|_| InvalidAuditorKey)?;
        PublicKey::from_bytes(&bytes)
            .map(Self)
            .map_err(|_| InvalidAuditorKey)
    }
}

impl fmt::Display for AuditorPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0.to_bytes()))
    }
}

impl fmt::Debug for AuditorPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditorPublicKey({self})")
    }
}

impl Serialize for AuditorPublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AuditorPublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The auditor's private key. The key of the crate below erases itself when dropped.
pub struct AuditorKey(PrivateKey);

impl AuditorKey {
    /// A new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self::from_bytes(&bytes)
    }

    /// From its 32 bytes, which are clamped (RFC 7748, section 5).
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(PrivateKey::from_bytes(bytes).expect("32 bytes are a key"))
    }

    /// Its 32 bytes, clamped.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.0.write_exact(bytes.as_mut_slice());
        bytes
    }

    /// The public half.
    pub fn public(&self) -> AuditorPublicKey {
        AuditorPublicKey(X25519HkdfSha256::sk_to_pk(&self.0))
    }

    /// Opens a sealed seed; `None` if it was sealed to another key, for another round or evaluation, or altered.
    pub(crate) fn open(
        &self,
        sealed: &SealedSeed,
        round: RoundId,
        evaluation_root: Digest,
    ) -> Option<Zeroizing<[u8; 32]>> {
        let opened = open_with(&self.0, INFO, &aad(round, evaluation_root), &sealed.0)?;
        let mut seed = Zeroizing::new([0; 32]);
        (opened.len() == seed.len()).then(|| seed.copy_from_slice(&opened))?;
        Some(seed)
    }
}

/// A seed that only the auditor can open. In the round's record: hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SealedSeed([u8; SEALED_SEED_BYTES]);

impl Serialize for SealedSeed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for SealedSeed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; SEALED_SEED_BYTES];
        hex::decode_to_slice(&text, &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes))
    }
}

fn aad(round: RoundId, evaluation_root: Digest) -> Vec<u8> {
    [round.0, evaluation_root.0].concat()
}

/// `enc ‖ ciphertext` (RFC 9180, section 6.1).
fn seal_to(
    to: &PublicKey,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let (enc, ciphertext) = single_shot_seal_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, to, info, plaintext, aad, rng)
    .expect("a key of large order, and one message per context");
    [enc.to_bytes().as_slice(), &ciphertext].concat()
}

fn open_with(
    key: &PrivateKey,
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (enc, ciphertext) = sealed.split_at_checked(ENC_BYTES)?;
    let enc = EncappedKey::from_bytes(enc).ok()?;
    single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        key,
        &enc,
        info,
        ciphertext,
        aad,
    )
    .ok()
    .map(Zeroizing::new)
}

#[cfg(test)]
mod tests;
