//! Chunks and replies: elements, headers, lengths, proofs, order.

use mandorla_protocol::responder::{Blinding, BlindingRecord};
use mandorla_protocol::{
    CHUNK_HEADER_BYTES, ChunkHeader, Digest, LocalFault, PeerFault, Role, decode, encode,
};

use super::world::World;
use super::{Lie, assert_found_out, people, plan, stop_of};

const DOCS: ChunkHeader = ChunkHeader {
    key_type: 0,
    chunk: 0,
    rows: 8,
};
const IDENTITY: [u8; 32] = [0; 32];
/// The field's prime: another encoding of zero.
const PRIME: [u8; 32] = {
    let mut bytes = [0xff; 32];
    (bytes[0], bytes[31]) = (0xed, 0x7f);
    bytes
};
/// One: odd, so not the encoding of any element.
const NEGATIVE: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

#[test]
fn a_bad_element_ends_the_round_and_names_its_place() {
    for element in [IDENTITY, PRIME, NEGATIVE, [0xff; 32]] {
        for index in [0, 3, 7] {
            let fault = PeerFault::BadElement {
                chunk: DOCS,
                index: u32::try_from(index).unwrap(),
            };
            for (side, message, start) in [
                (Role::Requester, "chunk-request 0 0", CHUNK_HEADER_BYTES),
                (Role::Responder, "chunk-reply 0 0", 0),
            ] {
                let at = start + 32 * index;
                let stop = stop_of(plan(1), message, move |bytes| {
                    bytes[at..at + 32].copy_from_slice(&element);
                });
                assert_eq!((stop.side, stop.fault()), (side, fault));
            }
        }
    }
}

#[test]
fn a_chunk_that_the_terms_do_not_have_is_refused() {
    let unknown = |key_type, chunk, rows| {
        PeerFault::UnknownChunk(ChunkHeader {
            key_type,
            chunk,
            rows,
        })
    };
    let name = "chunk-request 0 0";
    assert_found_out(Role::Requester, unknown(9, 0, 8), &[(name, |b| b[1] = 9)]);
    assert_found_out(Role::Requester, unknown(0, 1, 8), &[(name, |b| b[4] = 1)]);
    let rows: Lie = (name, |b| {
        b[8] = 7;
        b.truncate(CHUNK_HEADER_BYTES + 32 * 7);
    });
    assert_found_out(Role::Requester, unknown(0, 0, 7), &[rows]);
    let no_chunk = PeerFault::Unexpected {
        got: "another stream",
        expected: "a chunk",
    };
    assert_found_out(
        Role::Requester,
        no_chunk,
        &[(name, |b| b[0] = 2), (name, |b| b[2] = 1)],
    );
}

#[test]
fn a_chunk_or_reply_of_another_length_is_refused() {
    let length = |what, expected, got| PeerFault::Length {
        what,
        expected,
        got,
    };
    let request = "chunk-request 0 0";
    let (short, long): (Lie, Lie) = (
        (request, |b| b.truncate(b.len() - 32)),
        (request, |b| b.extend([0; 32])),
    );
    assert_found_out(Role::Requester, length("a chunk", 256, 224), &[short]);
    assert_found_out(Role::Requester, length("a chunk", 256, 288), &[long]);
    let ragged: Lie = (request, |b| b.push(0));
    let stream = length("a chunk's stream", 268, 269);
    assert_found_out(Role::Requester, stream, &[ragged]);

    let reply = "chunk-reply 0 0";
    let what = "an evaluated chunk";
    let (short, long): (Lie, Lie) = ((reply, |b| b.truncate(319)), (reply, |b| b.push(0)));
    assert_found_out(Role::Responder, length(what, 320, 319), &[short]);
    assert_found_out(Role::Responder, length(what, 320, 321), &[long]);
    let empty: Lie = (reply, Vec::clear);
    assert_found_out(Role::Responder, length(what, 320, 0), &[empty]);
}

#[test]
fn an_evaluation_that_its_proof_does_not_cover_is_refused() {
    let reply = "chunk-reply 0 0";
    let lies: [Lie; 6] = [
        // Two outputs changed places; one repeated; the proof's challenge, its response; no proof; unreduced scalars.
        (reply, |b| {
            let (one, other) = b.split_at_mut(32);
            one.swap_with_slice(&mut other[..32]);
        }),
        (reply, |b| b.copy_within(0..32, 32)),
        (reply, |b| b[256] ^= 1),
        (reply, |b| b[288] ^= 1),
        (reply, |b| b[256..].fill(0)),
        (reply, |b| b[256..].fill(0xff)),
    ];
    assert_found_out(Role::Responder, PeerFault::ChunkProof(DOCS), &lies);

    // The requester evaluated something else than was asked: rows in another order, or as another key type.
    for tell in [
        |b: &mut Vec<u8>| {
            let (one, other) = b[CHUNK_HEADER_BYTES..].split_at_mut(32);
            one.swap_with_slice(&mut other[..32]);
        },
        |b: &mut Vec<u8>| b[1] = 1,
    ] {
        let stop = stop_of(plan(1), "chunk-request 0 0", tell);
        assert_eq!(stop.side, Role::Responder);
        assert_eq!(stop.fault(), PeerFault::ChunkProof(DOCS));
    }
}

#[test]
fn the_proof_of_one_chunk_is_no_proof_of_another() {
    let mut proof = Vec::new();
    let mut world = World::tampered(plan(1), move |name, bytes| match name {
        "chunk-reply 0 0" => proof = bytes[256..].to_vec(),
        "chunk-reply 1 0" => bytes[256..].copy_from_slice(&proof),
        _ => {}
    });
    let stop = world.run().map(|_| ()).unwrap_err();
    let names = ChunkHeader {
        key_type: 1,
        ..DOCS
    };
    assert_eq!(stop.fault(), PeerFault::ChunkProof(names));
}

#[test]
fn a_chunk_is_answered_once() {
    let mut world = World::new(plan(2));
    let (mut evaluating, blinding) = world.open().unwrap();
    let request = world.blind(&blinding, DOCS).to_bytes();
    let reply = world.reply_to(&mut evaluating, &request).unwrap();
    let again = world.reply_to(&mut evaluating, &request);
    assert_eq!(again, Ok(reply), "the same chunk gets the same reply");
    assert_eq!(evaluating.chunks_done(), 1);

    let mut other = request;
    other.copy_within(CHUNK_HEADER_BYTES..CHUNK_HEADER_BYTES + 32, 12 + 32);
    let fault = world.reply_to(&mut evaluating, &other);
    assert_eq!(fault, Err(PeerFault::ChunkChanged(DOCS)));
}

#[test]
fn a_chunk_never_leaves_with_two_contents() {
    let mut world = World::new(plan(3));
    let (_, mut blinding) = world.open().unwrap();
    let chunk = world.blind(&blinding, DOCS);
    blinding.sending(&chunk).unwrap();
    let sent = [(DOCS, chunk.inputs_digest())];

    // After a restart, with the same rows and with others.
    let record = encode(blinding.record());
    let restore = || {
        let record = decode::<BlindingRecord>(&record).unwrap();
        Blinding::restore(record, sent, []).unwrap()
    };
    let mut blinding = restore();
    blinding.sending(&world.blind(&blinding, DOCS)).unwrap();
    let mut blinding = restore();
    world.plan.responder[0] = people(20..21).remove(0);
    let other = world.blind(&blinding, DOCS);
    let fault = blinding.sending(&other);
    assert_eq!(fault, Err(LocalFault::ChunkWouldDiffer(DOCS)));
}

#[test]
fn the_evaluation_ends_when_every_chunk_is_done_and_no_sooner() {
    let mut world = World::new(plan(4));
    let (evaluating, blinding) = world.open().unwrap();
    let signer = world.plan.parties.responder_signer();
    let missing = blinding.finish(&signer).map(|_| ());
    assert_eq!(missing, Err(LocalFault::ChunksMissing));
    let missing = evaluating.handle_evaluated(Digest([0; 32]), &[0; 64]);
    let missing = missing.map(|_| ()).unwrap_err();
    assert_eq!(missing, PeerFault::EvaluationRoot.into());
}
