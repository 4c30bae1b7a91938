//! The one place where structures become bytes and bytes become structures.
//!
//! bincode 2 with fixed-width little-endian integers (`encode` in the specification). A decoder refuses
//! more than its limit, left-over bytes, and any input that does not re-encode to itself, so that a
//! message has one encoding only and a signature over it means one thing only.

use bincode::{Decode, Encode, config};

/// Largest control message: terms with 32 key types are below 6 KiB, a pair offer below 8 KiB.
pub const CONTROL_BYTES_MAX: usize = 65_536;
/// Most bytes that a decoder allocates on the word of a length. An empty string is 8 bytes on the wire and 24 in
/// memory, so what a frame holds may be three times as large once decoded.
const DECODED_BYTES_MAX: usize = 4 * CONTROL_BYTES_MAX;

/// Why some bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// More bytes than the place allows.
    #[error("{0} bytes are over the limit of {CONTROL_BYTES_MAX}")]
    TooLong(usize),
    /// Not an encoding of the expected type.
    #[error("not a valid encoding")]
    Invalid,
    /// Bytes are left over after the value.
    #[error("bytes are left over after the value")]
    LeftOver,
    /// The value encodes differently: the input is not canonical.
    #[error("the encoding is not canonical")]
    NotCanonical,
}

/// The canonical encoding of a value.
pub fn encode<T: Encode>(value: &T) -> Vec<u8> {
    bincode::encode_to_vec(value, config()).expect("encoding into memory cannot fail for our types")
}

/// Decodes one whole value of at most [`CONTROL_BYTES_MAX`] bytes.
pub fn decode<T: Encode + Decode<()>>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > CONTROL_BYTES_MAX {
        return Err(CodecError::TooLong(bytes.len()));
    }
    let limited = config().with_limit::<DECODED_BYTES_MAX>();
    let (value, used): (T, usize) =
        bincode::decode_from_slice(bytes, limited).map_err(|_| CodecError::Invalid)?;
    if used != bytes.len() {
        return Err(CodecError::LeftOver);
    }
    if encode(&value) != bytes {
        return Err(CodecError::NotCanonical);
    }
    Ok(value)
}

fn config() -> config::Configuration<config::LittleEndian, config::Fixint, config::NoLimit> {
    config::standard().with_fixed_int_encoding()
}
