//! RFC 9497's functions for ristretto255-SHA512 (section 4.1), written after the RFC's pseudocode.

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use mandorla_kernels::{Element, expand_message_xmd_sha512};
use sha2::{Digest, Sha512};

/// A mode of the suite (section 3.1).
#[derive(Clone, Copy)]
pub(crate) struct Suite {
    mode: u8,
}

impl Suite {
    pub(crate) const OPRF: Self = Self { mode: 0 };
    pub(crate) const VOPRF: Self = Self { mode: 1 };

    /// `prefix ‖ contextString`.
    fn tag(self, prefix: &str) -> Vec<u8> {
        let mut tag = prefix.as_bytes().to_vec();
        tag.extend_from_slice(b"OPRFV1-");
        tag.push(self.mode);
        tag.extend_from_slice(b"-ristretto255-SHA512");
        tag
    }

    pub(crate) fn group_tag(self) -> Vec<u8> {
        self.tag("HashToGroup-")
    }

    fn hash_to_scalar(self, input: &[u8]) -> Scalar {
        hash_to_scalar(input, &self.tag("HashToScalar-"))
    }

    /// `DeriveKeyPair`, section 3.2.1.
    pub(crate) fn derive_key(self, seed: &[u8], info: &[u8]) -> Scalar {
        let derive_input = [seed, &length_prefixed(info)].concat();
        (0..=255u8)
            .map(|counter| {
                let input = [&derive_input[..], &[counter]].concat();
                hash_to_scalar(&input, &self.tag("DeriveKeyPair"))
            })
            .find(|key| *key != Scalar::ZERO)
            .unwrap()
    }
}

fn hash_to_scalar(input: &[u8], tag: &[u8]) -> Scalar {
    let mut uniform = [0; 64];
    expand_message_xmd_sha512(&[input], tag, &mut uniform).unwrap();
    Scalar::from_bytes_mod_order_wide(&uniform)
}

/// The hash at the end of `Finalize`, section 3.3.1.
pub(crate) fn finalize(input: &[u8], unblinded: &Element) -> Vec<u8> {
    let hash_input = [
        length_prefixed(input),
        length_prefixed(unblinded),
        b"Finalize".to_vec(),
    ];
    Sha512::digest(hash_input.concat()).to_vec()
}

/// `GenerateProof` with `A` the generator, section 2.2.1.
pub(crate) fn generate_proof(
    suite: Suite,
    key: &Scalar,
    inputs: &[Element],
    outputs: &[Element],
    nonce: &Scalar,
) -> [u8; 64] {
    let public = encode(&(RISTRETTO_BASEPOINT_POINT * key));
    let (m, _) = composites(suite, &public, inputs, outputs);
    let z = m * key;
    let commitments = [RISTRETTO_BASEPOINT_POINT * nonce, m * nonce];
    let c = challenge(suite, &public, &m, &z, &commitments);
    let s = nonce - c * key;
    [c.to_bytes(), s.to_bytes()].concat().try_into().unwrap()
}

/// `VerifyProof` with `A` the generator, section 2.2.2.
pub(crate) fn verify_proof(
    suite: Suite,
    public: &Element,
    inputs: &[Element],
    outputs: &[Element],
    proof: &[u8; 64],
) -> bool {
    let scalar = |half: &[u8]| Scalar::from_canonical_bytes(half.try_into().unwrap());
    let (c, s) = (scalar(&proof[..32]).unwrap(), scalar(&proof[32..]).unwrap());
    let (m, z) = composites(suite, public, inputs, outputs);
    let commitments = [
        RISTRETTO_BASEPOINT_POINT * s + decode(public) * c,
        m * s + z * c,
    ];
    challenge(suite, public, &m, &z, &commitments) == c
}

/// `ComputeComposites`, section 2.2.2.
fn composites(
    suite: Suite,
    public: &Element,
    inputs: &[Element],
    outputs: &[Element],
) -> (RistrettoPoint, RistrettoPoint) {
    let seed_transcript = [
        length_prefixed(public),
        length_prefixed(&suite.tag("Seed-")),
    ];
    let seed = Sha512::digest(seed_transcript.concat());
    let mut m = RistrettoPoint::default();
    let mut z = RistrettoPoint::default();
    for (i, (input, output)) in (0u16..).zip(inputs.iter().zip(outputs)) {
        let transcript = [
            length_prefixed(&seed),
            i.to_be_bytes().to_vec(),
            length_prefixed(input),
            length_prefixed(output),
            b"Composite".to_vec(),
        ];
        let coefficient = suite.hash_to_scalar(&transcript.concat());
        m += decode(input) * coefficient;
        z += decode(output) * coefficient;
    }
    (m, z)
}

fn challenge(
    suite: Suite,
    public: &Element,
    m: &RistrettoPoint,
    z: &RistrettoPoint,
    [t2, t3]: &[RistrettoPoint; 2],
) -> Scalar {
    let mut transcript = length_prefixed(public);
    for point in [m, z, t2, t3] {
        transcript.extend(length_prefixed(&encode(point)));
    }
    transcript.extend_from_slice(b"Challenge");
    suite.hash_to_scalar(&transcript)
}

/// `I2OSP(len, 2) ‖ bytes`.
fn length_prefixed(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap();
    [&len.to_be_bytes()[..], bytes].concat()
}

fn encode(point: &RistrettoPoint) -> Element {
    point.compress().to_bytes()
}

fn decode(element: &Element) -> RistrettoPoint {
    CompressedRistretto(*element).decompress().unwrap()
}
