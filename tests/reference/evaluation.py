"""Section 5: S blinds its match keys, R evaluates them chunk by chunk, S unblinds."""

import merkle
from check import require
from framing import framed, h256, hmac512, sha256, u8, u16, u32, wide
from proofs import prove_chunk, verify_chunk
from ristretto import ELEMENT_BYTES, GENERATOR, add, decode_received, encode, multiply, subtract
from terms import SUITE

CHUNK_ROWS = 4096
CHUNK_TAG = 1  # first byte of a chunk stream
PROOF_BYTES = 64


class Evaluation:
    """All chunks of one round.

    chunks: (key type, chunk index, request stream, reply stream), in order
    prf:    per key type the F of each real row, in the order of the rows
    root:   evaluation_root
    """

    def __init__(self, terms, values):
        self.chunks, self.prf, leaves = [], [], []
        for key_type, kind in enumerate(values):
            rows = _padded_rows(terms, key_type)
            blinds = [_blind(terms, key_type, j, x) for j, x in enumerate(rows)]
            requests = [encode(add(kind.hash(x), multiply(r, GENERATOR))) for x, r in zip(rows, blinds)]
            replies = []
            for i in range(-(-len(rows) // CHUNK_ROWS)):
                chunk = requests[i * CHUNK_ROWS :][:CHUNK_ROWS]
                request = _request_header(key_type, i, len(chunk)) + b"".join(chunk)
                reply = _answer_chunk(terms, key_type, i, request)
                evaluated = _accept_reply(terms, key_type, i, chunk, reply)
                self.chunks.append((key_type, i, request, reply))
                replies += evaluated
                leaves.append(_leaf(key_type, i, chunk, evaluated))
            real = terms.responder_keys[key_type]
            self.prf.append([_unblind(kind, x, r, e) for x, r, e in zip(real, blinds, replies)])
        self.root = merkle.tree_hash(leaves)

    def signature(self, terms, role):
        """EVALUATED carries the responder's (role 1), EVALUATED_ACK the requester's (role 0)."""
        return terms.signing[role].sign(framed("mandorla/1 evaluation", u8(role), terms.round_id, self.root))


def _padded_rows(terms, key_type):
    """The match keys of the type, ascending, then padding up to 2^evaluation_class rows."""
    seed = terms.inputs.bytes32("blind_seed")
    rows = list(terms.responder_keys[key_type])
    for j in range(len(rows), 2 ** terms.evaluation_classes[key_type]):
        rows.append(h256("mandorla/1 padding row", seed, u8(key_type), u32(j)))
    return rows


def _blind(terms, key_type, j, x):
    seed = terms.inputs.bytes32("blind_seed")
    return wide(hmac512(seed, framed("mandorla/1 blind", terms.round_id, u8(key_type), u32(j), x)))


def _request_header(key_type, index, rows):
    return u8(CHUNK_TAG) + u8(key_type) + u16(0) + u32(index) + u32(rows)


def _chunk_context(terms, key_type, index, rows):
    return framed("mandorla/1 chunk", u16(SUITE), terms.round_id, u8(key_type), u32(index), u32(rows))


def _answer_chunk(terms, key_type, index, request):
    """R's side: E and the proof, from the bytes of the request stream."""
    elements = _elements(request[12:])
    require(request[:12] == _request_header(key_type, index, len(elements)), "the header of a chunk is wrong")
    key = terms.evaluation_keys[key_type]
    evaluated = [encode(multiply(key, decode_received(n))) for n in elements]
    context = _chunk_context(terms, key_type, index, len(elements))
    randomness = terms.inputs.proof_randomness.get((key_type, index))
    require(randomness is not None, f"no proof randomness for key type {key_type}, chunk {index}")
    proof = prove_chunk(key, terms.public_keys[key_type], context, elements, evaluated, randomness)
    return b"".join(evaluated) + proof


def _accept_reply(terms, key_type, index, requests, reply):
    """S's side: E, after the proof of the whole chunk verified."""
    evaluated, proof = _elements(reply[:-PROOF_BYTES]), reply[-PROOF_BYTES:]
    require(len(evaluated) == len(requests), "a reply has another number of rows")
    context = _chunk_context(terms, key_type, index, len(requests))
    verify_chunk(terms.public_keys[key_type], context, requests, evaluated, proof)
    return evaluated


def _unblind(kind, x, blind, evaluated):
    public_key = decode_received(kind.public_key)
    return kind.prf(x, subtract(decode_received(evaluated), multiply(blind, public_key)))


def _leaf(key_type, index, requests, evaluated):
    rows = u32(len(requests))
    digests = (sha256(b"".join(requests)), sha256(b"".join(evaluated)))
    return framed("mandorla/1 evaluation leaf", u8(key_type), u32(index), rows, *digests)


def _elements(raw):
    require(len(raw) % ELEMENT_BYTES == 0, "elements are 32 bytes each")
    return [raw[at : at + ELEMENT_BYTES] for at in range(0, len(raw), ELEMENT_BYTES)]
