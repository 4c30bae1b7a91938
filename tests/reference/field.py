"""Integers modulo p = 2^255 - 19 (RFC 9496, section 4.1 and 4.2)."""

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def is_negative(x):
    """RFC 9496 calls an element negative when its least non-negative representative is odd."""
    return x % P & 1 == 1


def absolute(x):
    """The non-negative one of x and -x."""
    return -x % P if is_negative(x) else x % P


def sqrt_ratio_m1(u, v):
    """(was_square, r): r = sqrt(u/v) where that exists, else sqrt(SQRT_M1 * u/v); r non-negative (RFC 9496, 4.2)."""
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    correct_sign = check == u % P
    flipped_sign = check == -u % P
    flipped_sign_i = check == -u * SQRT_M1 % P
    if flipped_sign or flipped_sign_i:
        r = r * SQRT_M1 % P
    return correct_sign or flipped_sign, absolute(r)
