//! Hashing in the project's framing: `framed` and `H256` of the specification.

use mandorla_kernels::framed_sha256;

/// The bytes that are hashed or signed: `u8 len(label) ‖ label ‖ (u64 len(part) ‖ part)…`.
///
/// # Panics
/// If the label is longer than 255 bytes; labels are constants.
pub(crate) fn framed(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    let length = 1 + label.len() + parts.iter().map(|part| 8 + part.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(length);
    bytes.push(u8::try_from(label.len()).expect("labels are short constants"));
    bytes.extend_from_slice(label.as_bytes());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// SHA-256 over `framed(label, parts…)`.
pub(crate) fn h256(label: &str, parts: &[&[u8]]) -> [u8; 32] {
    framed_sha256(label, parts.iter().copied())
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_framed_bytes_are_what_the_kernels_hash() {
        let parts: [&[u8]; 3] = [b"abc", b"", b"\x00\x01"];
        assert_eq!(
            h256("label", &parts),
            <[u8; 32]>::from(Sha256::digest(framed("label", &parts)))
        );
    }
}
