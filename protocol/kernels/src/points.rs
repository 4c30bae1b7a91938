//! Group elements: as bytes, decoded, and verified.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};

use crate::{BadElement, PublicKey};

/// The canonical encoding of a ristretto255 group element (RFC 9496, section 4.3.2), 32 bytes.
pub type Element = [u8; 32];

/// The encoding of the identity.
const IDENTITY: Element = [0; 32];

/// A decoded batch of group elements, none of which is the identity if they came from
/// [`Kernel::decode`](crate::Kernel::decode). The representation belongs to the kernels.
#[derive(Clone)]
pub struct Points {
    points: Vec<RistrettoPoint>,
}

impl Points {
    pub(crate) fn from_points(points: Vec<RistrettoPoint>) -> Self {
        Self { points }
    }

    pub(crate) fn as_points(&self) -> &[RistrettoPoint] {
        &self.points
    }

    /// How many elements the batch has.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether the batch has no elements.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }
}

/// A batch of evaluations that a proof has shown to be the inputs times the key of one public key.
/// Only [`Kernel::verify`](crate::Kernel::verify) makes it, and only it can be unblinded: additive
/// blinding is safe for verified evaluations alone (Jarecki, Krawczyk, Xu, eprint 2021/273).
pub struct VerifiedPoints {
    points: Points,
    public: PublicKey,
}

impl VerifiedPoints {
    /// `points` must have been verified under `public`: to be called by the verifier only.
    pub(crate) fn from_verified(points: Points, public: PublicKey) -> Self {
        Self { points, public }
    }

    pub(crate) fn as_points(&self) -> &[RistrettoPoint] {
        self.points.as_points()
    }

    /// The public key that the proof was verified under.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// How many elements the batch has.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether the batch has no elements.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }
}

/// Decodes one element; `None` if it is not canonical, not on the group, or the identity.
pub(crate) fn decode_one(element: &Element) -> Option<RistrettoPoint> {
    if *element == IDENTITY {
        return None;
    }
    CompressedRistretto(*element).decompress()
}

/// Decodes a batch, naming the first element that is refused.
pub(crate) fn decode_all(elements: &[Element]) -> Result<Points, BadElement> {
    elements
        .iter()
        .enumerate()
        .map(|(index, element)| decode_one(element).ok_or(BadElement { index }))
        .collect::<Result<Vec<_>, _>>()
        .map(Points::from_points)
}
