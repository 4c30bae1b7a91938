"""Points of edwards25519 in extended coordinates (X, Y, Z, T), x = X/Z, y = Y/Z, xy = T/Z (RFC 8032, section 5.1.4)."""

from field import D, P, SQRT_M1

# Order of the prime-order subgroup.
L = 2**252 + 27742317777372353535851937790883648493

IDENTITY = (0, 1, 1, 0)


def add(p, q):
    x1, y1, z1, t1 = p
    x2, y2, z2, t2 = q
    a = (y1 - x1) * (y2 - x2) % P
    b = (y1 + x1) * (y2 + x2) % P
    c = 2 * D * t1 * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def double(p):
    x1, y1, z1, _ = p
    a = x1 * x1 % P
    b = y1 * y1 % P
    c = 2 * z1 * z1 % P
    h = a + b
    e = h - (x1 + y1) * (x1 + y1) % P
    g = a - b
    f = c + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def negate(p):
    x, y, z, t = p
    return -x % P, y, z, -t % P


def multiply(scalar, p):
    """scalar * p for a non-negative integer; not constant-time: this program holds no real secrets."""
    result = IDENTITY
    for bit in bin(scalar)[2:]:
        result = double(result)
        if bit == "1":
            result = add(result, p)
    return result


def recover_x(y, sign):
    """The x of the curve point with this y and this low bit, or None (RFC 8032, section 5.1.3)."""
    x_squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    if x_squared == 0:
        return None if sign else 0
    x = pow(x_squared, (P + 3) // 8, P)
    if (x * x - x_squared) % P:
        x = x * SQRT_M1 % P
    if (x * x - x_squared) % P:
        return None
    return -x % P if x & 1 != sign else x


def _base():
    y = 4 * pow(5, -1, P) % P
    x = recover_x(y, 0)
    return x, y, 1, x * y % P


BASE = _base()
