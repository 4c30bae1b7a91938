"""Checks an export of a ledger: `bundle.py FILE`. It shares no code with the program that wrote it.

Every entry's hash, every checkpoint's root and signature, every pair log under both signatures, every agreement's hash and
signatures, and the end of the file. Exit 1 with the first fault.
"""

import base64
import hashlib
import json
import sys

import ed25519
import note
from check import CheckFailed, require
from framing import framed, h256, sha256

LEAF, NODE = b"\x00", b"\x01"


class Tree:
    """A Merkle tree of RFC 6962 that grows: the roots of its perfect subtrees, largest first."""

    def __init__(self):
        self.size = 0
        self.subtrees = []

    def append(self, leaf_hash):
        node, size = leaf_hash, self.size
        while size & 1:
            node = sha256(NODE + self.subtrees.pop() + node)
            size >>= 1
        self.subtrees.append(node)
        self.size += 1

    def root(self):
        if not self.subtrees:
            return sha256(b"")
        node = self.subtrees[-1]
        for left in reversed(self.subtrees[:-1]):
            node = sha256(NODE + left + node)
        return node


def checkpoint(text, names_and_keys, origin):
    """Size and root of a note that each of these names has signed with one of its keys."""
    body, separator, lines = text.rpartition("\n\n")
    require(separator, "a note has no signatures")
    body += "\n"
    parts = body.split("\n")
    require(len(parts) == 4 and parts[3] == "", "a checkpoint has three lines")
    require(parts[0] == origin, f"a checkpoint of {parts[0]!r}, not of {origin!r}")
    for name, keys in names_and_keys:
        require(any(is_signed(name, key, body, lines) for key in keys), f"{name} has not signed")
    return int(parts[1]), base64.b64decode(parts[2], validate=True)


def is_signed(name, key, body, lines):
    for line in lines.splitlines():
        try:
            note.verify_line(name, key, body, line)
            return True
        except CheckFailed:
            continue
    return False


def check_agreement(bundle):
    """Returns the agreement's hash; its signatures must be those of its parties."""
    import tomllib

    text = bundle["text"].encode()
    parties = {party["code"]: bytes.fromhex(party["signing_key"]) for party in tomllib.loads(bundle["text"])["party"]}
    digest = h256("mandorla/1 agreement", text)
    for signature in bundle["signatures"]:
        message = framed("mandorla/1 agreement signature", digest)
        raw = bytes.fromhex(signature["signature"])
        require(ed25519.verify(parties[signature["party"]], message, raw), f"{signature['party']} has not signed")
    return digest.hex()


class Bundle:
    def __init__(self, header):
        require(header["format"] == "mandorla-ledger-export" and header["schema"] == 1, "no export of a ledger")
        self.header = header
        self.keys = [bytes.fromhex(key) for key in header["keys"]]
        self.origin = f"mandorla ledger {header['node']}"
        self.tree = Tree()
        self.checkpoints = 0
        self.logs = [Tree() for _ in header["pair_logs"]]
        self.agreements = {check_agreement(bundle) for bundle in header["agreements"]}

    def hash(self, seq, hash):
        require(seq < self.header["first"], f"entry {seq} was left out")
        self.append(seq, bytes.fromhex(hash))

    def leaf(self, seq, leaf):
        entry = json.loads(leaf)
        require(entry["seq"] == seq, f"entry {seq} claims to be entry {entry['seq']}")
        require(entry["node"] == self.header["node"], f"entry {seq} is of another node")
        named = entry.get("agreement", {}).get("hash")
        require(named is None or named in self.agreements, f"entry {seq} names an agreement that is not here")
        self.append(seq, sha256(LEAF + leaf.encode()))

    def append(self, seq, leaf_hash):
        require(seq == self.tree.size, f"entry {self.tree.size} is missing")
        self.tree.append(leaf_hash)

    def checkpoint(self, size, note):
        signed = checkpoint(note, [(self.header["node"], self.keys)], self.origin)
        require(signed == (size, self.tree.root()) and size == self.tree.size, f"the checkpoint for size {size} does not fit")
        self.checkpoints += 1

    def fact(self, log, seq, leaf):
        require(seq == self.logs[log].size, f"fact {self.logs[log].size} of pair log {log} is missing")
        self.logs[log].append(sha256(LEAF + bytes.fromhex(leaf)))

    def finish(self):
        header = self.header
        require(self.tree.size == header["size"], f"{self.tree.size} of {header['size']} entries are here")
        self.checkpoint(header["size"], header["checkpoint"])
        for log, tree in zip(header["pair_logs"], self.logs):
            require(tree.size == log["size"], "facts of a pair log are missing")
            if log["note"] is None:
                require(tree.size == 0, "nobody signed a pair log")
                continue
            names = [(log[side], [bytes.fromhex(log[side])]) for side in ("requester", "responder")]
            origin = f"mandorla/pair/{log['requester']}/{log['responder']}"
            own = log["requester" if log["direction"] == "we ask" else "responder"]
            require(own in header["keys"], "a pair log is of another node's key")
            require(checkpoint(log["note"], names, origin) == (tree.size, tree.root()), "a pair log does not fit its note")


def check(path):
    digest, bundle, ended = hashlib.sha256(), None, False
    with open(path, "rb") as file:
        for number, line in enumerate(file):
            require(not ended, "there are lines behind the end")
            ((kind, fields),) = json.loads(line).items()
            if number == 0:
                require(kind == "header", "the first line is no header")
                bundle = Bundle(fields)
            elif kind == "end":
                require(fields == {"lines": number, "sha256": digest.hexdigest()}, "the file was changed")
                ended = True
            else:
                require(kind in ("hash", "leaf", "checkpoint", "fact"), f"a line of kind {kind}")
                getattr(bundle, kind)(**fields)
            digest.update(line)
    require(ended, "the file was cut off")
    bundle.finish()
    facts = sum(tree.size for tree in bundle.logs)
    print(f"verified: {bundle.tree.size} entries, {bundle.checkpoints} checkpoints, {facts} facts, root {bundle.tree.root().hex()}")


if __name__ == "__main__":
    try:
        check(sys.argv[1])
    except (CheckFailed, KeyError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
