"""The group ristretto255 (RFC 9496, section 4.3). A point is an edwards25519 point that stands for its class."""

from check import require
import edwards
from field import D, P, SQRT_M1, absolute, is_negative, sqrt_ratio_m1

# RFC 9496, section 4.1. The signs matter, so the RFC's values stand here and are checked against their squares.
SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235
INVSQRT_A_MINUS_D = 54469307008909316920995813868745141605393597292927456921205312896311721017578
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) ** 2 % P

require(SQRT_AD_MINUS_ONE**2 % P == (-D - 1) % P, "SQRT_AD_MINUS_ONE is mistyped")
require(INVSQRT_A_MINUS_D**2 * (-1 - D) % P == 1, "INVSQRT_A_MINUS_D is mistyped")

ELEMENT_BYTES = 32
GENERATOR = edwards.BASE
IDENTITY = edwards.IDENTITY

add = edwards.add
multiply = edwards.multiply


def subtract(p, q):
    return edwards.add(p, edwards.negate(q))


def encode(point):
    """The 32-byte canonical encoding (RFC 9496, 4.3.2)."""
    x0, y0, z0, t0 = point
    u1 = (z0 + y0) * (z0 - y0) % P
    u2 = x0 * y0 % P
    _, invsqrt = sqrt_ratio_m1(1, u1 * u2 * u2 % P)
    den1 = invsqrt * u1 % P
    den2 = invsqrt * u2 % P
    z_inv = den1 * den2 * t0 % P
    if is_negative(t0 * z_inv):
        x, y = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P
        den_inv = den1 * INVSQRT_A_MINUS_D % P
    else:
        x, y, den_inv = x0, y0, den2
    if is_negative(x * z_inv):
        y = -y % P
    return absolute(den_inv * (z0 - y)).to_bytes(ELEMENT_BYTES, "little")


def decode(encoded):
    """The point of a canonical encoding; refuses every other byte string (RFC 9496, 4.3.1)."""
    require(len(encoded) == ELEMENT_BYTES, "an element is 32 bytes")
    s = int.from_bytes(encoded, "little")
    require(s < P and not is_negative(s), "not a canonical field element")
    u1 = (1 - s * s) % P
    u2 = (1 + s * s) % P
    u2_squared = u2 * u2 % P
    v = (-(D * u1 * u1) - u2_squared) % P
    was_square, invsqrt = sqrt_ratio_m1(1, v * u2_squared % P)
    den_x = invsqrt * u2 % P
    den_y = invsqrt * den_x * v % P
    x = absolute(2 * s * den_x)
    y = u1 * den_y % P
    t = x * y % P
    require(was_square and not is_negative(t) and y != 0, "not an encoding of an element")
    return x, y, 1, t


def decode_received(encoded):
    """`decode`, and the identity is refused: the rule for every element that comes from the peer (section 1)."""
    point = decode(encoded)
    require(encode(point) != bytes(ELEMENT_BYTES), "the identity is refused")
    return point


def from_uniform_bytes(uniform):
    """The one-way map of 64 bytes (RFC 9496, 4.3.4)."""
    require(len(uniform) == 64, "the one-way map takes 64 bytes")
    halves = (int.from_bytes(half, "little") & (2**255 - 1) for half in (uniform[:32], uniform[32:]))
    return add(*(_map(half % P) for half in halves))


def _map(t):
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    was_square, s = sqrt_ratio_m1(u, v)
    if not was_square:
        s = -absolute(s * t) % P
    c = -1 if was_square else r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0 = 2 * s * v % P
    w1 = n * SQRT_AD_MINUS_ONE % P
    w2 = (1 - s * s) % P
    w3 = (1 + s * s) % P
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P
