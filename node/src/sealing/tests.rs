use std::convert::Infallible;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand_core::{TryCryptoRng, TryRng};

use super::*;

/// RFC 9180, appendix A.2.1: base setup and the first encryption.
mod rfc9180_a2_1 {
    pub(super) const INFO: &str = "4f6465206f6e2061204772656369616e2055726e";
    pub(super) const IKM_E: &str =
        "909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b";
    pub(super) const SK_R: &str =
        "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb";
    pub(super) const PK_R: &str =
        "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a";
    pub(super) const ENC: &str = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a";
    pub(super) const PLAINTEXT: &str = "4265617574792069732074727574682c20747275746820626561757479";
    pub(super) const AAD: &str = "436f756e742d30";
    pub(super) const CIPHERTEXT: &str = "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28";
}

/// Gives given bytes, as the vector's key material for the ephemeral key.
struct Given(Vec<u8>);

impl TryRng for Given {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("keys are made of byte strings")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("keys are made of byte strings")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(bytes.len());
        bytes.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Given {}

fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn key(text: &str) -> AuditorKey {
    AuditorKey::from_bytes(&unhex(text).try_into().unwrap())
}

#[test]
fn the_vector_of_the_rfc_opens() {
    use rfc9180_a2_1::{AAD, CIPHERTEXT, ENC, INFO, PK_R, PLAINTEXT, SK_R};
    let key = key(SK_R);
    assert_eq!(key.public().to_string(), PK_R);
    let sealed = unhex(&[ENC, CIPHERTEXT].concat());
    let opened = open_with(&key.0, &unhex(INFO), &unhex(AAD), &sealed).unwrap();
    assert_eq!(hex::encode(opened), PLAINTEXT);
}

#[test]
fn the_vector_of_the_rfc_is_what_sealing_gives() {
    use rfc9180_a2_1::{AAD, CIPHERTEXT, ENC, IKM_E, INFO, PK_R, PLAINTEXT};
    let to: AuditorPublicKey = PK_R.parse().unwrap();
    let mut rng = Given(unhex(IKM_E));
    let sealed = seal_to(
        &to.0,
        &unhex(INFO),
        &unhex(AAD),
        &unhex(PLAINTEXT),
        &mut rng,
    );
    assert_eq!(hex::encode(sealed), [ENC, CIPHERTEXT].concat());
}

const SEED: [u8; 32] = *b"the seed of the blinds, 32 bytes";
const ROUND: RoundId = RoundId([1; 32]);
const ROOT: Digest = Digest([2; 32]);

fn sealed() -> (AuditorKey, SealedSeed) {
    let mut rng = StdRng::seed_from_u64(9180);
    let key = AuditorKey::generate(&mut rng);
    let sealed = key.public().seal(&SEED, ROUND, ROOT, &mut rng);
    (key, sealed)
}

#[test]
fn a_sealed_seed_opens_to_itself_with_its_key_round_and_root() {
    let (key, sealed) = sealed();
    assert_eq!(*key.open(&sealed, ROUND, ROOT).unwrap(), SEED);
    assert!(!sealed.0.windows(32).any(|window| window == SEED));
    let read: SealedSeed = serde_json::from_str(&serde_json::to_string(&sealed).unwrap()).unwrap();
    assert_eq!(read, sealed);
}

#[test]
fn another_key_round_or_root_opens_nothing() {
    let (key, sealed) = sealed();
    let other = AuditorKey::generate(&mut StdRng::seed_from_u64(1));
    assert!(other.open(&sealed, ROUND, ROOT).is_none());
    assert!(key.open(&sealed, RoundId([3; 32]), ROOT).is_none());
    assert!(key.open(&sealed, ROUND, Digest([3; 32])).is_none());
    assert!(
        key.open(&sealed, RoundId(ROOT.0), Digest(ROUND.0))
            .is_none(),
        "nor the two exchanged"
    );
}

#[test]
fn a_seed_with_any_flipped_bit_does_not_open() {
    let (key, sealed) = sealed();
    for bit in 0..8 * SEALED_SEED_BYTES {
        let mut altered = sealed.clone();
        altered.0[bit / 8] ^= 1 << (bit % 8);
        assert!(key.open(&altered, ROUND, ROOT).is_none(), "bit {bit}");
    }
    for length in 0..SEALED_SEED_BYTES {
        let cut = &sealed.0[..length];
        assert!(open_with(&key.0, INFO, &aad(ROUND, ROOT), cut).is_none());
    }
}

#[test]
fn two_seals_of_one_seed_have_nothing_in_common() {
    let mut rng = StdRng::seed_from_u64(2);
    let key = AuditorKey::generate(&mut rng).public();
    let [a, b] = [(); 2].map(|()| key.seal(&SEED, ROUND, ROOT, &mut rng));
    assert_ne!(a.0[..32], b.0[..32]);
    assert_ne!(a.0[32..64], b.0[32..64]);
}

/// The canonical encodings of the points of small order on Curve25519 and its twist.
#[test]
fn a_point_of_small_order_is_no_auditors_key() {
    for text in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let parsed: Result<AuditorPublicKey, _> = text.parse();
        assert_eq!(parsed, Err(InvalidAuditorKey), "{text}");
    }
    assert!("00".parse::<AuditorPublicKey>().is_err());
    assert!(rfc9180_a2_1::PK_R.parse::<AuditorPublicKey>().is_ok());
}
