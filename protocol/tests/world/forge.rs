//! What only a dishonest node makes: cells of its own choosing, statements signed over anything.

use ed25519_dalek::{Signer, SigningKey};
use mandorla_kernels::framed_sha256;
use mandorla_protocol::{Payload, PrfValue, Terms, write_cell};
use sha2::{Digest, Sha256};

use super::{Plan, World, match_key};

/// One cell that a dishonest requester makes: the c-th of a match key, with any payload.
pub(crate) struct Forged {
    pub(crate) key: (u8, &'static str),
    pub(crate) c: u32,
    pub(crate) subject_number: u32,
    pub(crate) key_types: u32,
}

/// The terms that a plan leads to.
pub(crate) fn terms_of(plan: &Plan) -> Terms {
    let (evaluating, _) = World::new(plan.clone()).open().unwrap();
    evaluating.terms().clone()
}

/// These cells and as much padding as the terms call for, in order.
pub(crate) fn forged_cells(plan: &Plan, forged: &[Forged]) -> Vec<u8> {
    let (terms, world) = (terms_of(plan), World::new(plan.clone()));
    let keys = plan.coins.keys();
    let mut cells: Vec<Vec<u8>> = forged
        .iter()
        .map(|cell| {
            let (key_type, x) = (cell.key.0, match_key(cell.key.1));
            let (tag, key) = (terms.domain_tag(key_type), &keys[usize::from(key_type)]);
            let element = world.kernel.derive(key, &tag, &[&x])[0];
            let value = PrfValue::new(&tag, &x, &key.public().to_bytes(), &element);
            let payload = Payload {
                subject_number: cell.subject_number,
                key_types: cell.key_types,
            };
            let mut bytes = Vec::new();
            write_cell(&terms, &value, cell.c, payload, &mut bytes);
            bytes
        })
        .collect();
    for j in forged.len() as u64..terms.cells() {
        cells.push(Sha256::digest(j.to_le_bytes())[..terms.cell_bytes()].to_vec());
    }
    cells.sort_unstable();
    cells.concat()
}

/// An answer with any content, properly signed by the responder's node.
pub(crate) fn sign_answer(plan: &Plan, mut body: Vec<u8>) -> Vec<u8> {
    let digest = framed_sha256("mandorla/1 answer", [body.as_slice()]);
    let signer = plan.parties.responder_signer();
    body.extend_from_slice(&signer.sign("mandorla/1 answer", &[&digest]));
    body
}

/// A place with any content, properly signed by the responder's review desk for a slot.
pub(crate) fn sign_place(plan: &Plan, seed: &[u8; 32], slot: u8, mut body: Vec<u8>) -> Vec<u8> {
    let round_id = terms_of(plan).round_id();
    let mut signed = Vec::new();
    let label = b"mandorla/1 item";
    signed.push(u8::try_from(label.len()).unwrap());
    signed.extend_from_slice(label);
    for part in [round_id.as_ref(), &[slot], &body] {
        signed.extend_from_slice(&(part.len() as u64).to_le_bytes());
        signed.extend_from_slice(part);
    }
    let signature = SigningKey::from_bytes(seed).sign(&signed);
    body.extend_from_slice(&signature.to_bytes());
    body
}
