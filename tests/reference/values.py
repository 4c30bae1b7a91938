"""Section 4: the values of one key type in one round."""

import ristretto
from framing import h256, h512, u16, u32
from hash_to_group import hash_to_group
from terms import SUITE


class KeyTypeValues:
    """dst_t, F, W, M and hit_key for key type t."""

    def __init__(self, terms, key_type):
        self.round_id = terms.round_id
        self.tag_bytes = terms.tag_bytes
        self.public_key = terms.public_keys[key_type]
        self.dst = b"mandorla/1 " + h256(
            "mandorla/1 context",
            terms.agreement,
            terms.requester,
            terms.responder,
            terms.purpose,
            terms.rules,
            u16(SUITE),
            terms.inputs.key_types[key_type],
            terms.round_id,
        )

    def hash(self, x):
        return hash_to_group(self.dst, x)

    def prf(self, x, evaluated):
        """F(x) from the point k_t * hash_to_group(dst_t, x)."""
        return h512("mandorla/1 prf", self.dst, x, self.public_key, ristretto.encode(evaluated))[:32]

    def tag(self, f, c):
        return h256("mandorla/1 tag", self.round_id, f, u32(c))[: self.tag_bytes]

    def mask(self, f, c):
        return h256("mandorla/1 mask", self.round_id, f, u32(c))[:8]

    def hit_key(self, f):
        return h256("mandorla/1 hit key", self.round_id, f)
