//! The keys two nodes know each other by.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ed25519_dalek::{SigningKey as Ed25519, VerifyingKey};
use rand_core::CryptoRng;
use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

/// Bytes of an ed25519 seed and of an ed25519 public key (RFC 8032, section 5.1.5).
const KEY_BYTES: usize = 32;

/// What stands before the 32 key bytes in the `SubjectPublicKeyInfo` of an ed25519 key (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// What stands before the 32 seed bytes in the PKCS #8 form of an ed25519 key (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// This node's secret ed25519 key for the transport.
///
/// It signs handshakes and nothing else. The seed is erased when the value is dropped and is never printed.
pub struct TransportKey {
    seed: Zeroizing<[u8; KEY_BYTES]>,
    public: PeerKey,
}

impl TransportKey {
    /// A fresh key from the given source of randomness.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; KEY_BYTES]);
        rng.fill_bytes(seed.as_mut());
        Self::from_zeroizing(seed)
    }

    /// The key with this seed (RFC 8032, section 5.1.5). The caller erases its own copy.
    pub fn from_seed(seed: [u8; KEY_BYTES]) -> Self {
        Self::from_zeroizing(Zeroizing::new(seed))
    }

    /// The seed, for whoever keeps the key. The caller erases its own copies.
    pub fn seed(&self) -> &[u8; KEY_BYTES] {
        &self.seed
    }

    /// What the peer pins.
    pub fn public(&self) -> PeerKey {
        self.public
    }

    fn from_zeroizing(seed: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let public = PeerKey(Ed25519::from_bytes(&seed).verifying_key().to_bytes());
        Self { seed, public }
    }

    /// The key as rustls wants it: the raw public key in place of a certificate chain, and the signer.
    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        let mut pkcs8 = Zeroizing::new([0; PKCS8_PREFIX.len() + KEY_BYTES]);
        pkcs8[..PKCS8_PREFIX.len()].copy_from_slice(&PKCS8_PREFIX);
        pkcs8[PKCS8_PREFIX.len()..].copy_from_slice(self.seed.as_ref());
        let signer = any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()))
            .expect("every 32 bytes are the seed of an ed25519 key");
        let raw_public_key = CertificateDer::from(self.public.to_spki().to_vec());
        Arc::new(CertifiedKey::new(vec![raw_public_key], signer))
    }
}

impl fmt::Debug for TransportKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// A node's public ed25519 key; prints as 64 lower-case hexadecimal digits and is read from the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey(pub [u8; KEY_BYTES]);

impl PeerKey {
    /// Whether a signature under this key proves anything: it is a point of the curve and not one of the eight of small
    /// order, under which anybody can sign.
    pub fn is_usable(&self) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| !key.is_weak())
    }

    pub(crate) fn to_spki(self) -> [u8; SPKI_PREFIX.len() + KEY_BYTES] {
        let mut spki = [0; SPKI_PREFIX.len() + KEY_BYTES];
        spki[..SPKI_PREFIX.len()].copy_from_slice(&SPKI_PREFIX);
        spki[SPKI_PREFIX.len()..].copy_from_slice(&self.0);
        spki
    }

    /// Reads the one DER encoding of an ed25519 key; anything else, an X.509 certificate included, is `None`.
    pub(crate) fn from_spki(spki: &[u8]) -> Option<Self> {
        let key = spki.strip_prefix(SPKI_PREFIX.as_slice())?;
        Some(Self(key.try_into().ok()?))
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerKey({self})")
    }
}

impl FromStr for PeerKey {
    type Err = PeerKeyParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut key = [0; KEY_BYTES];
        hex::decode_to_slice(text, &mut key).map_err(|_| PeerKeyParseError::NotHex)?;
        let key = Self(key);
        if key.is_usable() {
            Ok(key)
        } else {
            Err(PeerKeyParseError::Unusable)
        }
    }
}

/// Why a text is not a [`PeerKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerKeyParseError {
    /// Not 64 hexadecimal digits.
    #[error("a node key is 64 hexadecimal digits")]
    NotHex,
    /// The digits are no point of the curve, or one under which anybody can sign.
    #[error("these 64 digits are not a usable ed25519 public key")]
    Unusable,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn public_key_of_a_seed_is_the_one_of_rfc_8032() {
        // RFC 8032, section 7.1, TEST 1.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let mut bytes = [0; 32];
        hex::decode_to_slice(seed, &mut bytes).unwrap();
        assert_eq!(
            TransportKey::from_seed(bytes).public().to_string(),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
    }

    #[test]
    fn the_signer_that_handshakes_use_has_the_same_public_key() {
        let key = TransportKey::from_seed([7; 32]);
        let certified = key.certified();
        let spki = certified.key.public_key().unwrap();
        assert_eq!(spki.as_ref(), key.public().to_spki());
        assert_eq!(certified.cert[0].as_ref(), key.public().to_spki());
    }

    #[test]
    fn debug_output_does_not_contain_the_seed() {
        let key = TransportKey::from_seed([0xa5; 32]);
        let printed = format!("{key:?}");
        assert!(printed.contains(&key.public().to_string()));
        assert!(!printed.contains("a5a5") && !printed.contains("165"));
    }

    #[test]
    fn points_under_which_anybody_can_sign_are_unusable() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(!PeerKey(identity).is_usable());
        assert!(!PeerKey([0; 32]).is_usable());
        assert_eq!(
            PeerKey(identity).to_string().parse::<PeerKey>(),
            Err(PeerKeyParseError::Unusable)
        );
        assert!(TransportKey::from_seed([3; 32]).public().is_usable());
    }

    proptest! {
        #[test]
        fn key_survives_its_text_and_its_spki(seed in any::<[u8; 32]>()) {
            let key = TransportKey::from_seed(seed).public();
            prop_assert_eq!(key.to_string().parse::<PeerKey>(), Ok(key));
            prop_assert_eq!(PeerKey::from_spki(&key.to_spki()), Some(key));
        }

        #[test]
        fn spki_with_any_byte_of_its_frame_changed_is_not_read(at in 0..12usize, bit in 0..8u32) {
            let mut spki = TransportKey::from_seed([1; 32]).public().to_spki();
            spki[at] ^= 1 << bit;
            prop_assert_eq!(PeerKey::from_spki(&spki), None);
        }

        #[test]
        fn spki_of_another_length_is_not_read(cut in 0..44usize, extra in 1..9usize) {
            let spki = TransportKey::from_seed([1; 32]).public().to_spki();
            prop_assert_eq!(PeerKey::from_spki(&spki[..cut]), None);
            let mut longer = spki.to_vec();
            longer.resize(spki.len() + extra, 0);
            prop_assert_eq!(PeerKey::from_spki(&longer), None);
        }
    }
}
