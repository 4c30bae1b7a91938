//! Keys and blinds: the secret scalars, and the public key with its table.

use std::fmt;

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::{RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::points::decode_one;
use crate::{Element, KeyError};

/// The secret key `k` of one key type in one round or epoch, with its public key. Erased when dropped.
pub struct EvaluationKey {
    // Boxed: moving a key must not leave copies of the scalars on the stack.
    secret: Box<SecretScalars>,
    public: PublicKey,
}

/// `k`, and `k/2`, which evaluation multiplies by: the batch encoder doubles.
#[derive(Zeroize, ZeroizeOnDrop)]
struct SecretScalars {
    whole: Scalar,
    half: Scalar,
}

impl EvaluationKey {
    /// Draws a key uniformly from the permitted scalars.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut uniform = Zeroizing::new([0; 64]);
        loop {
            rng.fill_bytes(&mut *uniform);
            let whole = Zeroizing::new(Scalar::from_bytes_mod_order_wide(&uniform));
            if let Ok(key) = Self::from_scalar(&whole) {
                return key;
            }
        }
    }

    /// Reads a key from the 32 bytes of [`to_bytes`](Self::to_bytes), little-endian.
    ///
    /// # Errors
    /// [`KeyError::NotCanonical`] if the number is not below the group order;
    /// [`KeyError::Forbidden`] for 0 and for −2, whose halves are exceptions of the x-only ladder.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let whole = Zeroizing::new(
            Option::<Scalar>::from(Scalar::from_canonical_bytes(*bytes))
                .ok_or(KeyError::NotCanonical)?,
        );
        Self::from_scalar(&whole)
    }

    fn from_scalar(whole: &Scalar) -> Result<Self, KeyError> {
        // Filled in place, for the same reason as it is boxed.
        let mut secret = Box::new(SecretScalars {
            whole: Scalar::ZERO,
            half: Scalar::ZERO,
        });
        secret.whole = *whole;
        secret.half = whole.div_by_2();
        if secret.half == Scalar::ZERO || secret.half == -Scalar::ONE {
            return Err(KeyError::Forbidden);
        }
        let public = PublicKey::from_point(RistrettoPoint::mul_base(whole));
        Ok(Self { secret, public })
    }

    /// The scalar as 32 bytes, little-endian. Whoever holds them can evaluate.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.whole.to_bytes())
    }

    /// `K = k·G`.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    pub(crate) fn whole(&self) -> &Scalar {
        &self.secret.whole
    }

    pub(crate) fn half(&self) -> &Scalar {
        &self.secret.half
    }
}

impl ZeroizeOnDrop for EvaluationKey {}

impl fmt::Debug for EvaluationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvaluationKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// The public key `K = k·G` of an evaluation key; never the identity.
#[derive(Clone, Copy)]
pub struct PublicKey {
    encoding: Element,
    point: RistrettoPoint,
}

impl PublicKey {
    /// Reads a public key from its canonical encoding.
    ///
    /// # Errors
    /// [`KeyError::BadPublicKey`] if the bytes are no canonical element, or the identity.
    pub fn from_bytes(bytes: &Element) -> Result<Self, KeyError> {
        let point = decode_one(bytes).ok_or(KeyError::BadPublicKey)?;
        Ok(Self {
            encoding: *bytes,
            point,
        })
    }

    /// The canonical encoding.
    pub fn to_bytes(&self) -> Element {
        self.encoding
    }

    /// The canonical encoding, borrowed.
    pub fn as_bytes(&self) -> &Element {
        &self.encoding
    }

    fn from_point(point: RistrettoPoint) -> Self {
        Self {
            encoding: point.compress().to_bytes(),
            point,
        }
    }

    pub(crate) fn point(&self) -> &RistrettoPoint {
        &self.point
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.encoding == other.encoding
    }
}

impl Eq for PublicKey {}

impl std::hash::Hash for PublicKey {
    fn hash<S: std::hash::Hasher>(&self, state: &mut S) {
        self.encoding.hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        for byte in self.encoding {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// Multiples of a public key for constant-time fixed-base multiplication: about 30 KB, made once per
/// key type and shared by all threads that unblind.
pub struct PublicKeyTable {
    public: PublicKey,
    table: Box<RistrettoBasepointTable>,
}

impl PublicKeyTable {
    /// Computes the table.
    pub fn new(public: &PublicKey) -> Self {
        Self {
            public: *public,
            table: Box::new(RistrettoBasepointTable::create(&public.point)),
        }
    }

    /// The key whose multiples these are.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// `r·K` in constant time.
    pub(crate) fn multiply(&self, blind: &Blind) -> RistrettoPoint {
        &*self.table * &blind.scalar
    }
}

/// The secret scalar that blinds one input. It must never serve two different inputs: the difference
/// of the two blinded points would open both to a search. Erased when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Blind {
    scalar: Scalar,
}

impl Blind {
    /// Reduces 64 uniform bytes, little-endian, modulo the group order.
    pub fn from_uniform_bytes(uniform: &[u8; 64]) -> Self {
        Self {
            scalar: Scalar::from_bytes_mod_order_wide(uniform),
        }
    }

    /// `r·G` in constant time.
    pub(crate) fn multiply_generator(&self) -> RistrettoPoint {
        RISTRETTO_BASEPOINT_TABLE * &self.scalar
    }
}
