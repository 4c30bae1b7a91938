"""AEAD_CHACHA20_POLY1305 (RFC 8439, section 2.8)."""

import hmac
import struct

from check import require

TAG_BYTES = 16
_MASK = 0xFFFFFFFF


def _quarter_round(state, a, b, c, d):
    for x, y, z, shift in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[x] = (state[x] + state[y]) & _MASK
        mixed = state[z] ^ state[x]
        state[z] = (mixed << shift | mixed >> (32 - shift)) & _MASK


def _block(key, counter, nonce):
    start = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key))
    start += [counter, *struct.unpack("<3I", nonce)]
    state = start[:]
    for _ in range(10):
        for column in range(4):
            _quarter_round(state, column, 4 + column, 8 + column, 12 + column)
        for i in range(4):
            _quarter_round(state, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((a + b) & _MASK for a, b in zip(start, state)))


def _chacha20(key, counter, nonce, data):
    out = bytearray()
    for i in range(0, len(data), 64):
        stream = _block(key, counter + i // 64, nonce)
        out += bytes(a ^ b for a, b in zip(data[i : i + 64], stream))
    return bytes(out)


def _poly1305(one_time_key, message):
    r = int.from_bytes(one_time_key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    s = int.from_bytes(one_time_key[16:32], "little")
    accumulator = 0
    for i in range(0, len(message), 16):
        chunk = int.from_bytes(message[i : i + 16] + b"\x01", "little")
        accumulator = (accumulator + chunk) * r % (2**130 - 5)
    return ((accumulator + s) % 2**128).to_bytes(TAG_BYTES, "little")


def _tag(key, nonce, aad, ciphertext):
    padded = b"".join(part + bytes(-len(part) % 16) for part in (aad, ciphertext))
    return _poly1305(_block(key, 0, nonce), padded + struct.pack("<QQ", len(aad), len(ciphertext)))


def seal(key, nonce, aad, plaintext):
    """ciphertext followed by the 16-byte tag."""
    ciphertext = _chacha20(key, 1, nonce, plaintext)
    return ciphertext + _tag(key, nonce, aad, ciphertext)


def open_sealed(key, nonce, aad, sealed):
    """The plaintext; refuses a wrong tag."""
    ciphertext, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
    require(hmac.compare_digest(tag, _tag(key, nonce, aad, ciphertext)), "the tag of the ciphertext is wrong")
    return _chacha20(key, 1, nonce, ciphertext)
