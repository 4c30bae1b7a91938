"""Ed25519 signatures (RFC 8032, section 5.1). Verification without the cofactor; s must be reduced."""

import hashlib

from check import require
import edwards
from edwards import BASE, L
from field import P


def _encode(point):
    x, y, z, _ = point
    z_inv = pow(z, -1, P)
    x, y = x * z_inv % P, y * z_inv % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(encoded):
    value = int.from_bytes(encoded, "little")
    y, sign = value & (2**255 - 1), value >> 255
    x = edwards.recover_x(y, sign) if y < P else None
    return None if x is None else (x, y, 1, x * y % P)


def _sha512_int(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def _expand(seed):
    require(len(seed) == 32, "an Ed25519 seed is 32 bytes")
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
    return scalar, digest[32:]


def public_key(seed):
    return _encode(edwards.multiply(_expand(seed)[0], BASE))


def sign(seed, message):
    scalar, prefix = _expand(seed)
    public = _encode(edwards.multiply(scalar, BASE))
    r = _sha512_int(prefix, message) % L
    big_r = _encode(edwards.multiply(r, BASE))
    s = (r + _sha512_int(big_r, public, message) * scalar) % L
    return big_r + s.to_bytes(32, "little")


def verify(public, message, signature):
    """True where the signature holds; never raises for malformed bytes."""
    if len(public) != 32 or len(signature) != 64:
        return False
    a = _decode(public)
    s = int.from_bytes(signature[32:], "little")
    if a is None or s >= L:
        return False
    k = _sha512_int(signature[:32], public, message) % L
    expected = edwards.add(edwards.multiply(s, BASE), edwards.multiply(k, edwards.negate(a)))
    return _encode(expected) == signature[:32]
