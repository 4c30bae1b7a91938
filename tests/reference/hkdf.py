"""HKDF (RFC 5869) with SHA-256."""

import hashlib
import hmac

from check import require


def hkdf_sha256(salt, ikm, info, length):
    require(0 < length <= 255 * 32, "HKDF gives 1 to 8160 bytes")
    prk = hmac.new(salt or bytes(32), ikm, hashlib.sha256).digest()
    block, out = b"", b""
    for i in range(1, -(-length // 32) + 1):
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha256).digest()
        out += block
    return out[:length]
