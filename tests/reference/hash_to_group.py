"""`hash_to_group` of section 1: expand_message_xmd (RFC 9380, 5.3.1) with SHA-512, then the map of RFC 9496."""

import hashlib

from check import require
import ristretto

_DIGEST_BYTES = 64
_BLOCK_BYTES = 128
_DST_BYTES_MAX = 255  # RFC 9380, 5.3.3 hashes longer tags; the protocol's have 43 bytes


def expand_message_xmd(message, dst, length):
    blocks = -(-length // _DIGEST_BYTES)
    require(blocks <= 255 and length <= 65535, "expand_message_xmd cannot give so many bytes")
    require(len(dst) <= _DST_BYTES_MAX, "the domain separation tag is too long")
    dst_prime = dst + bytes([len(dst)])
    head = bytes(_BLOCK_BYTES) + message + length.to_bytes(2, "big") + b"\x00" + dst_prime
    b_0 = hashlib.sha512(head).digest()
    b_i = hashlib.sha512(b_0 + b"\x01" + dst_prime).digest()
    out = b_i
    for i in range(2, blocks + 1):
        mixed = bytes(a ^ b for a, b in zip(b_0, b_i))
        b_i = hashlib.sha512(mixed + bytes([i]) + dst_prime).digest()
        out += b_i
    return out[:length]


def hash_to_group(dst, x):
    return ristretto.from_uniform_bytes(expand_message_xmd(x, dst, 64))
