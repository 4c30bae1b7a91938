//! Randomness comes in as an argument; all of it is drawn in values of 32 bytes.

use rand_core::CryptoRng;

/// The next 32 bytes of a generator.
pub(crate) fn draw(rng: &mut impl CryptoRng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}
