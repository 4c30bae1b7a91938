"""The Merkle tree hash of RFC 6962, section 2.1, with SHA-256."""

from framing import sha256


def tree_hash(leaves):
    """The root over a list of leaf inputs (the 0x00 prefix is added here)."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1  # the largest power of two below the length
    return sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:]))
