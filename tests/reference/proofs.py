"""The two proofs of sections 3 and 5: possession of k_t, and one exponent for a whole chunk."""

import ristretto
from check import require
from framing import framed, h512, hmac512, read_scalar, scalar_bytes, u32, wide
from ristretto import GENERATOR, add, encode, multiply


def prove_possession(key, public_key, context, randomness):
    r = wide(hmac512(scalar_bytes(key), framed("mandorla/1 possession nonce", context, randomness)))
    c = _possession_challenge(context, public_key, multiply(r, GENERATOR))
    return scalar_bytes(c) + scalar_bytes(r - c * key)


def verify_possession(public_key, context, proof):
    c, s = _read(proof)
    a = add(multiply(s, GENERATOR), multiply(c, ristretto.decode_received(public_key)))
    require(c == _possession_challenge(context, public_key, a), "a proof of possession does not verify")


def prove_chunk(key, public_key, context, requests, replies, randomness):
    """`requests` and `replies`: the encoded elements N and E, row by row."""
    seed = _chunk_seed(public_key, context, requests, replies)
    m, z = _combine(seed, requests, replies)
    r = wide(hmac512(scalar_bytes(key), framed("mandorla/1 proof nonce", seed, randomness)))
    c = _chunk_challenge(seed, m, z, multiply(r, GENERATOR), multiply(r, m))
    return scalar_bytes(c) + scalar_bytes(r - c * key)


def verify_chunk(public_key, context, requests, replies, proof):
    seed = _chunk_seed(public_key, context, requests, replies)
    m, z = _combine(seed, requests, replies)
    c, s = _read(proof)
    a = add(multiply(s, GENERATOR), multiply(c, ristretto.decode_received(public_key)))
    b = add(multiply(s, m), multiply(c, z))
    require(c == _chunk_challenge(seed, m, z, a, b), "a chunk proof does not verify")


def _possession_challenge(context, public_key, a):
    return wide(h512("mandorla/1 possession", context, public_key, encode(a)))


def _chunk_seed(public_key, context, requests, replies):
    # "N..." is read as one part: the concatenation, as in SHA-256(N...).
    rows = u32(len(requests))
    return h512("mandorla/1 chunk proof", context, public_key, rows, b"".join(requests), b"".join(replies))


def _combine(seed, requests, replies):
    """M and Z: the sums weighted by the coefficients d_j, j being the row's index in its chunk."""
    m = z = ristretto.IDENTITY
    for j, (request, reply) in enumerate(zip(requests, replies, strict=True)):
        block = h512("mandorla/1 coefficients", seed, u32(j // 4))
        d = int.from_bytes(block[j % 4 * 16 :][:16], "little")
        m = add(m, multiply(d, ristretto.decode_received(request)))
        z = add(z, multiply(d, ristretto.decode_received(reply)))
    return m, z


def _chunk_challenge(seed, m, z, a, b):
    return wide(h512("mandorla/1 chunk challenge", seed, *map(encode, (m, z, a, b))))


def _read(proof):
    require(len(proof) == 64, "a proof is 64 bytes")
    return read_scalar(proof[:32]), read_scalar(proof[32:])
