"""The transcripts of mandorla-kernels, implemented a second time, from the specification alone.

Plain Python, no packages: ristretto255 after RFC 9496, hashing to the group after RFC 9380, the chunk proof and
the proof of possession after the module documentation. It prints the values that `transcripts.rs` compares with:

    python3 reference.py

It is slow and takes no constant time: for fixed test values only.
"""

import hashlib
import hmac

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def is_negative(x):
    return x % P % 2 == 1


def absolute(x):
    return -x % P if is_negative(x) else x % P


def sqrt_ratio(u, v):
    """RFC 9496, section 4.2."""
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    correct = check == u % P
    flipped = check == -u % P
    flipped_i = check == -u * SQRT_M1 % P
    if flipped or flipped_i:
        r = r * SQRT_M1 % P
    return correct or flipped, absolute(r)


def root(x, negative=False):
    """A square root of a square."""
    square, r = sqrt_ratio(x, 1)
    assert square
    return -r % P if negative else r


# Section 4.1 of RFC 9496; of the two roots of a·d − 1 it takes the odd one.
SQRT_AD_MINUS_ONE = root(-D - 1, negative=True)
INVSQRT_A_MINUS_D = sqrt_ratio(1, -1 - D)[1]
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) ** 2 % P
IDENTITY = (0, 1, 1, 0)


def decode(data):
    """RFC 9496, section 4.3.1."""
    s = int.from_bytes(data, "little")
    assert s < P and not is_negative(s)
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    square, invsqrt = sqrt_ratio(1, v * u2 * u2)
    den_x, den_y = invsqrt * u2 % P, invsqrt * invsqrt * u2 * v % P
    x, y = absolute(2 * s * den_x), u1 * den_y % P
    assert square and not is_negative(x * y) and y != 0
    return (x, y, 1, x * y % P)


def encode(point):
    """RFC 9496, section 4.3.2."""
    x0, y0, z0, t0 = point
    u1, u2 = (z0 + y0) * (z0 - y0) % P, x0 * y0 % P
    invsqrt = sqrt_ratio(1, u1 * u2 * u2)[1]
    den1, den2 = invsqrt * u1 % P, invsqrt * u2 % P
    z_inv = den1 * den2 * t0 % P
    if is_negative(t0 * z_inv):
        x, y, den_inv = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
    else:
        x, y, den_inv = x0, y0, den2
    if is_negative(x * z_inv):
        y = -y % P
    return absolute(den_inv * (z0 - y)).to_bytes(32, "little")


def add(p, q):
    """RFC 8032, section 5.1.4."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, point):
    result = IDENTITY
    for bit in bin(scalar % ORDER)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def map_half(data):
    """MAP of RFC 9496, section 4.3.4."""
    t = (int.from_bytes(data, "little") & (2**255 - 1)) % P
    r = SQRT_M1 * t * t % P
    u, v = (r + 1) * ONE_MINUS_D_SQ % P, (-1 - r * D) * (r + D) % P
    square, s = sqrt_ratio(u, v)
    c = -1
    if not square:
        s, c = -absolute(s * t) % P, r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0, w1 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P
    w2, w3 = (1 - s * s) % P, (1 + s * s) % P
    return (w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P)


def sha512(data):
    return hashlib.sha512(data).digest()


def hash_to_group(dst, data):
    tag = dst + bytes([len(dst)])
    b_0 = sha512(bytes(128) + data + b"\x00\x40\x00" + tag)
    uniform = sha512(b_0 + b"\x01" + tag)
    return add(map_half(uniform[:32]), map_half(uniform[32:]))


def framed(label, *parts):
    lengths = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    return bytes([len(label)]) + label + lengths


def wide(data):
    return int.from_bytes(data, "little") % ORDER


def scalar_bytes(scalar):
    return scalar.to_bytes(32, "little")


G = decode(bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))


def prove_chunk(k, context, inputs, outputs, randomness):
    count = len(inputs).to_bytes(4, "little")
    seed = sha512(
        framed(
            b"mandorla/1 chunk proof",
            context,
            encode(multiply(k, G)),
            count,
            b"".join(inputs),
            b"".join(outputs),
        )
    )
    m, z = IDENTITY, IDENTITY
    for i in range(len(inputs)):
        block = sha512(framed(b"mandorla/1 coefficients", seed, (i // 4).to_bytes(4, "little")))
        d = int.from_bytes(block[i % 4 * 16 :][:16], "little")
        m = add(m, multiply(d, decode(inputs[i])))
        z = add(z, multiply(d, decode(outputs[i])))
    nonce = framed(b"mandorla/1 proof nonce", seed, randomness)
    r = wide(hmac.digest(scalar_bytes(k), nonce, "sha512"))
    points = [encode(q) for q in (m, z, multiply(r, G), multiply(r, m))]
    c = wide(sha512(framed(b"mandorla/1 chunk challenge", seed, *points)))
    return scalar_bytes(c) + scalar_bytes((r - c * k) % ORDER)


def prove_possession(k, context, randomness):
    nonce = framed(b"mandorla/1 possession nonce", context, randomness)
    r = wide(hmac.digest(scalar_bytes(k), nonce, "sha512"))
    public, commitment = encode(multiply(k, G)), encode(multiply(r, G))
    c = wide(sha512(framed(b"mandorla/1 possession", context, public, commitment)))
    return scalar_bytes(c) + scalar_bytes((r - c * k) % ORDER)


def main():
    dst, context, randomness = b"transcripts", b"context of the transcripts", bytes(range(32))
    k = wide(sha512(b"key"))
    print("key", scalar_bytes(k).hex())
    print("public", encode(multiply(k, G)).hex())
    print("possession", prove_possession(k, context, randomness).hex())
    for length in (0, 1, 4, 5, 9):
        blinded, values = [], []
        for i in range(length):
            # Inputs "", "x", "xx", …; blinds SHA-512(0), SHA-512(1), …
            hashed = hash_to_group(dst, b"x" * i)
            blinded.append(encode(add(hashed, multiply(wide(sha512(bytes([i]))), G))))
            values.append(encode(multiply(k, hashed)))
        outputs = [encode(multiply(k, decode(n))) for n in blinded]
        digests = [hashlib.sha256(b"".join(column)).hexdigest() for column in (blinded, outputs, values)]
        print("chunk", length, *digests, prove_chunk(k, context, blinded, outputs, randomness).hex())


main()
