"""Signed notes (c2sp.org/signed-note) around checkpoints (c2sp.org/tlog-checkpoint), with Ed25519."""

import base64

from check import require
import ed25519
from framing import sha256

_ED25519 = b"\x01"  # signature type of c2sp.org/signed-note


def checkpoint_body(origin, size, root):
    """Origin, size in decimal and root in base64, a line each."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def key_id(name, public):
    return sha256(name.encode() + b"\n" + _ED25519 + public)[:4]


def signature_line(name, seed, body):
    """The line without its newline: em dash, space, key name, space, base64 of key id and signature."""
    public = ed25519.public_key(seed)
    raw = key_id(name, public) + ed25519.sign(seed, body.encode())
    return f"\u2014 {name} {base64.b64encode(raw).decode()}"


def verify_line(name, public, body, line):
    dash, line_name, encoded = line.split(" ")
    raw = base64.b64decode(encoded, validate=True)
    require(dash == "\u2014" and line_name == name, "not a signature line of this key")
    require(raw[:4] == key_id(name, public), "the key id of the signature line is wrong")
    require(ed25519.verify(public, body.encode(), raw[4:]), "the signature of the note is wrong")


def assemble(body, *lines):
    """Body, blank line, the signature lines, each with its newline."""
    return body + "\n" + "".join(line + "\n" for line in lines)
