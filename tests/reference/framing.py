"""Section 1: integers, `framed`, the hashes over it, and scalars."""

import hashlib
import hmac

from check import require
from edwards import L


def u8(value):
    return value.to_bytes(1, "little")


def u16(value):
    return value.to_bytes(2, "little")


def u32(value):
    return value.to_bytes(4, "little")


def u64(value):
    return value.to_bytes(8, "little")


def framed(label, *parts):
    """u8 length and label, then u64 length and bytes of each part; a `str` part is its UTF-8."""
    raw_label = label.encode("ascii")
    out = u8(len(raw_label)) + raw_label
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        out += u64(len(raw)) + raw
    return out


def h256(label, *parts):
    return hashlib.sha256(framed(label, *parts)).digest()


def h512(label, *parts):
    return hashlib.sha512(framed(label, *parts)).digest()


def sha256(data):
    return hashlib.sha256(data).digest()


def hmac256(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hmac512(key, data):
    return hmac.new(key, data, hashlib.sha512).digest()


def wide(digest):
    """64 bytes little-endian modulo the group order, as an integer."""
    require(len(digest) == 64, "wide reads 64 bytes")
    return int.from_bytes(digest, "little") % L


def scalar_bytes(scalar):
    return (scalar % L).to_bytes(32, "little")


def read_scalar(encoded):
    """A received scalar: 32 bytes, reduced."""
    scalar = int.from_bytes(encoded, "little")
    require(len(encoded) == 32 and scalar < L, "not a reduced scalar")
    return scalar
