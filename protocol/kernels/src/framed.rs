//! Framed hashing: the one way in which Mandorla turns several values into one digest.
//!
//! `framed(label, parts…)` is the byte string
//!
//! ```text
//! u8 length of label ‖ label ‖ for each part: u64 little-endian length ‖ part
//! ```
//!
//! so that no two different lists of parts, and no two labels, give the same bytes. The string is never
//! built: it is fed into a hash as it is described.

use hmac::{Hmac, KeyInit};
use sha2::digest::{FixedOutput, Update};
use sha2::{Sha256, Sha512};

/// A framed string on its way into a hash or MAC `W`. Use one of the aliases.
///
/// ```
/// use mandorla_kernels::{FramedSha256, framed_sha256};
///
/// let mut hash = FramedSha256::new("example/1 label");
/// hash.part(b"first").part(b"second");
/// assert_eq!(hash.finish(), framed_sha256("example/1 label", [&b"first"[..], b"second"]));
/// ```
#[derive(Clone)]
pub struct Framed<W> {
    writer: W,
}

/// A framed string hashed with SHA-256.
pub type FramedSha256 = Framed<Sha256>;
/// A framed string hashed with SHA-512.
pub type FramedSha512 = Framed<Sha512>;
/// A framed string authenticated with HMAC-SHA-512 (RFC 2104).
pub type FramedHmacSha512 = Framed<Hmac<Sha512>>;

impl Framed<Sha256> {
    /// Begins with a label of at most 255 bytes.
    ///
    /// # Panics
    /// If the label is longer: labels are constants of a program.
    pub fn new(label: &str) -> Self {
        Self::begin(Sha256::default(), label)
    }

    /// The digest of the label and all parts.
    pub fn finish(self) -> [u8; 32] {
        self.writer.finalize_fixed().into()
    }
}

impl Framed<Sha512> {
    /// Begins with a label of at most 255 bytes.
    ///
    /// # Panics
    /// If the label is longer: labels are constants of a program.
    pub fn new(label: &str) -> Self {
        Self::begin(Sha512::default(), label)
    }

    /// The digest of the label and all parts.
    pub fn finish(self) -> [u8; 64] {
        self.writer.finalize_fixed().into()
    }
}

impl Framed<Hmac<Sha512>> {
    /// Begins with a key of any length and a label of at most 255 bytes.
    ///
    /// # Panics
    /// If the label is longer: labels are constants of a program.
    pub fn new(key: &[u8], label: &str) -> Self {
        let mac = Hmac::<Sha512>::new_from_slice(key).expect("HMAC takes keys of every length");
        Self::begin(mac, label)
    }

    /// The authentication code of the label and all parts.
    pub fn finish(self) -> [u8; 64] {
        self.writer.finalize_fixed().into()
    }
}

impl<W: Update> Framed<W> {
    fn begin(mut writer: W, label: &str) -> Self {
        let label_bytes = u8::try_from(label.len()).expect("a label has at most 255 bytes");
        writer.update(&[label_bytes]);
        writer.update(label.as_bytes());
        Self { writer }
    }

    /// Appends one part.
    pub fn part(&mut self, part: &[u8]) -> &mut Self {
        self.writer.update(&(part.len() as u64).to_le_bytes());
        self.writer.update(part);
        self
    }

    /// Appends each part of an iterator.
    pub fn parts<'a>(&mut self, parts: impl IntoIterator<Item = &'a [u8]>) -> &mut Self {
        for part in parts {
            self.part(part);
        }
        self
    }
}

/// SHA-256 of `framed(label, parts…)`.
///
/// # Panics
/// If the label is longer than 255 bytes.
pub fn framed_sha256<'a>(label: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = FramedSha256::new(label);
    hash.parts(parts);
    hash.finish()
}

/// SHA-512 of `framed(label, parts…)`.
///
/// # Panics
/// If the label is longer than 255 bytes.
pub fn framed_sha512<'a>(label: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 64] {
    let mut hash = FramedSha512::new(label);
    hash.parts(parts);
    hash.finish()
}

#[cfg(test)]
mod tests {
    use sha2::Digest;

    use super::*;

    /// Written out by hand from the definition above.
    const FRAMED: &[u8] = b"\x03abc\x02\0\0\0\0\0\0\0de\0\0\0\0\0\0\0\0";

    #[test]
    fn the_framed_string_is_the_one_that_is_specified() {
        let parts = [&b"de"[..], b""];
        assert_eq!(framed_sha256("abc", parts), *Sha256::digest(FRAMED));
        assert_eq!(framed_sha512("abc", parts), *Sha512::digest(FRAMED));

        let mut mac = FramedHmacSha512::new(b"key", "abc");
        mac.parts(parts);
        let mut expected = Hmac::<Sha512>::new_from_slice(b"key").unwrap();
        Update::update(&mut expected, FRAMED);
        assert_eq!(mac.finish(), *expected.finalize_fixed());
    }

    #[test]
    fn moving_a_byte_between_parts_or_the_label_changes_the_digest() {
        let digest = framed_sha512("abc", [&b"de"[..], b"f"]);
        assert_ne!(digest, framed_sha512("abc", [&b"d"[..], b"ef"]));
        assert_ne!(digest, framed_sha512("abc", [&b"def"[..]]));
        assert_ne!(digest, framed_sha512("abc", [&b"de"[..], b"f", b""]));
        assert_ne!(digest, framed_sha512("ab", [&b"cde"[..], b"f"]));
    }

    #[test]
    #[should_panic(expected = "a label has at most 255 bytes")]
    fn a_label_of_256_bytes_is_a_programming_error() {
        let _ = FramedSha256::new(&"x".repeat(256));
    }
}
