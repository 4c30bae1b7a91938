//! From bytes to group elements: RFC 9380's expansion, RFC 9496's one-way map.

use curve25519_dalek::ristretto::RistrettoPoint;
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

use crate::{Element, ExpandError};

/// Input block size of SHA-512 in bytes (`s_in_bytes` in RFC 9380).
const BLOCK_BYTES: usize = 128;
/// Output size of SHA-512 in bytes (`b_in_bytes`).
const DIGEST_BYTES: usize = 64;
/// The longest tag used as it stands: its length must fit one byte. Longer ones are hashed first.
const TAG_BYTES_MAX: usize = 255;
/// The prefix for tags that are longer (RFC 9380, section 5.3.3).
const OVERSIZE_TAG_PREFIX: &[u8] = b"H2C-OVERSIZE-DST-";
/// The most that can be expanded: 255 digests, since a counter of one byte numbers them.
const EXPANDED_BYTES_MAX: usize = 255 * DIGEST_BYTES;

/// `expand_message_xmd` with SHA-512 (RFC 9380, section 5.3.1): fills `out` with bytes that are uniform
/// and independent for each message, tag and length of `out`. The message is the concatenation of the
/// parts of `msg`. Tags longer than 255 bytes are hashed first (section 5.3.3).
///
/// # Errors
/// An empty `dst`, or an `out` of more than 16,320 bytes.
pub fn expand_message_xmd_sha512(
    msg: &[&[u8]],
    dst: &[u8],
    out: &mut [u8],
) -> Result<(), ExpandError> {
    if out.len() > EXPANDED_BYTES_MAX {
        return Err(ExpandError::OutputTooLong {
            bytes: out.len(),
            bytes_max: EXPANDED_BYTES_MAX,
        });
    }
    Expander::new(dst)?.expand(msg, out);
    Ok(())
}

/// Hashes an input to a group element: 64 bytes of [`expand_message_xmd_sha512`] into the one-way map
/// of RFC 9496, section 4.3.4. This is `hash_to_ristretto255` of RFC 9380, appendix B.
///
/// # Errors
/// An empty `dst`.
pub fn hash_to_group(dst: &[u8], input: &[u8]) -> Result<Element, ExpandError> {
    let point = Expander::new(dst)?.hash_to_point(input);
    Ok(point.compress().to_bytes())
}

/// The one-way map of RFC 9496, section 4.3.4, from 64 uniform bytes to a group element.
pub fn map_to_group(uniform: &[u8; 64]) -> Element {
    RistrettoPoint::from_uniform_bytes(uniform)
        .compress()
        .to_bytes()
}

/// `expand_message_xmd` with SHA-512 for one tag. Holds what every message under the tag shares.
pub(crate) struct Expander {
    /// The state after `Z_pad`, one block of zeros: saves one compression a message.
    padded: Sha512,
    /// `DST ‖ I2OSP(len(DST), 1)`.
    tag: Vec<u8>,
}

impl Expander {
    pub(crate) fn new(dst: &[u8]) -> Result<Self, ExpandError> {
        if dst.is_empty() {
            return Err(ExpandError::EmptyTag);
        }
        let mut tag = if dst.len() > TAG_BYTES_MAX {
            let hash = Sha512::new()
                .chain_update(OVERSIZE_TAG_PREFIX)
                .chain_update(dst);
            hash.finalize().to_vec()
        } else {
            dst.to_vec()
        };
        tag.push(u8::try_from(tag.len()).expect("longer tags were hashed to 64 bytes"));
        Ok(Self {
            padded: Sha512::new().chain_update([0; BLOCK_BYTES]),
            tag,
        })
    }

    /// The caller has checked that `out` has at most `EXPANDED_BYTES_MAX` bytes.
    pub(crate) fn expand(&self, msg: &[&[u8]], out: &mut [u8]) {
        let out_bytes = u16::try_from(out.len()).expect("at most EXPANDED_BYTES_MAX");
        let mut hash = self.padded.clone();
        for part in msg {
            hash.update(part);
        }
        hash.update(out_bytes.to_be_bytes());
        hash.update([0]);
        hash.update(&self.tag);
        let mut b_0 = hash.finalize();

        // b_i = H((b_0 xor b_(i−1)) ‖ i ‖ DST_prime), where b_0 itself stands for the first.
        let mut chained = b_0;
        for (i, bytes) in (1u8..=255).zip(out.chunks_mut(DIGEST_BYTES)) {
            let hash = Sha512::new()
                .chain_update(chained)
                .chain_update([i])
                .chain_update(&self.tag);
            let mut b_i = hash.finalize();
            bytes.copy_from_slice(&b_i[..bytes.len()]);
            for (next, (first, last)) in chained.iter_mut().zip(b_0.iter().zip(&b_i)) {
                *next = first ^ last;
            }
            b_i.zeroize();
        }
        // With these a guess at the message could be tested.
        b_0.zeroize();
        chained.zeroize();
    }

    pub(crate) fn hash_to_point(&self, input: &[u8]) -> RistrettoPoint {
        let mut uniform = Zeroizing::new([0; 64]);
        self.expand(&[input], &mut *uniform);
        RistrettoPoint::from_uniform_bytes(&uniform)
    }
}
