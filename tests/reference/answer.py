"""Section 8: S's answer of one slot, R's receipt, and R's opening of the items."""

import chacha20poly1305
import ed25519
from bincode import decode, encode
from check import require
from framing import framed, h256, hmac256, sha256, u8, u16, u32
from hkdf import hkdf_sha256
from messages import PACKAGE
from terms import REQUESTER, RESPONDER

MAGIC = b"MNDRANS1"
HEADER_BYTES = 79
PLACE_HEAD_BYTES = 25
PROOF_BYTES = 32
SIGNATURE_BYTES = 64
NONCE = bytes(12)


class Answer:
    """raw: the whole answer; digest: answer_digest; receipt: the fields of RECEIPT."""

    def __init__(self, terms, values, pairs, numbers, slot):
        inputs = terms.inputs
        places = sorted(
            _place(terms, values, pairs, numbers, slot, release)
            for release in inputs["releases"]
            if release["slot"] == slot
        )  # the item id follows one constant byte, so this is the order of the item ids
        require(len(places) <= inputs["max_release"], "more releases than places")
        place_bytes = _place_bytes(terms)
        require(all(len(place) == place_bytes for place in places), "a place has another size")
        body = _header(terms, slot) + b"".join(places)
        body += bytes(place_bytes * (inputs["max_release"] - len(places)))
        self.slot = slot
        self.digest = h256("mandorla/1 answer", body)
        self.raw = body + terms.signing[RESPONDER].sign(framed("mandorla/1 answer", self.digest))
        self.receipt = self._receipt(terms)

    def _receipt(self, terms):
        commitment = terms.inputs.bytes32("requester_ledger_commitment")
        signed = framed("mandorla/1 receipt", terms.round_id, u8(self.slot), self.digest, commitment)
        return {
            "slot": self.slot,
            "answer_digest": self.digest,
            "ledger_commitment": commitment,
            "signature": terms.signing[REQUESTER].sign(signed),
        }


def open_answer(terms, values, question, slot, raw):
    """R's side: [(subject number, proven types, package)] from the bytes; refuses what does not verify."""
    body, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    digest = h256("mandorla/1 answer", body)
    signed = framed("mandorla/1 answer", digest)
    require(ed25519.verify(terms.responder, signed, signature), "the signature of the answer is wrong")
    require(body[:HEADER_BYTES] == _header(terms, slot), "the header of the answer is wrong")
    size = _place_bytes(terms)
    require(len(body) == HEADER_BYTES + size * terms.inputs["max_release"], "the answer has another size")
    places = [body[at : at + size] for at in range(HEADER_BYTES, len(body), size)]
    return [_open_place(terms, values, question, slot, place) for place in places if any(place)]


def _header(terms, slot):
    inputs = terms.inputs
    commitment = inputs.bytes32("responder_ledger_commitment")
    fields = u8(slot) + u16(inputs["max_release"]) + u32(_place_bytes(terms))
    return MAGIC + terms.round_id + fields + commitment


def _place_bytes(terms):
    sealed = terms.inputs["item_bytes"] + chacha20poly1305.TAG_BYTES
    return PLACE_HEAD_BYTES + PROOF_BYTES * len(terms.inputs.key_types) + sealed + SIGNATURE_BYTES


def _place(terms, values, pairs, numbers, slot, release):
    own, number = release["responder_subject"], numbers[release["requester_subject"]]
    require((own, number) in pairs, "a release of a pair that was not found")
    proven = _types(release["proven_types"])
    hit_keys = _hit_keys(values, pairs[own, number], proven)
    reference = terms.inputs.references[own]
    item_seed = terms.inputs.bytes32("item_seed")
    item_id = h256("mandorla/1 item id", item_seed, terms.round_id, u32(number), reference)[:16]
    head = u8(1) + item_id + u32(number) + u32(release["proven_types"])
    key = _package_key(terms, slot, item_id, number, [hit_keys[t] for t in proven])
    plaintext = _plaintext(terms, release)
    ciphertext = chacha20poly1305.seal(key, NONCE, _package_aad(terms, slot, head), plaintext)
    proofs = b"".join(
        _hit_proof(terms, slot, item_id, number, t, ciphertext, hit_keys[t]) if t in hit_keys else bytes(PROOF_BYTES)
        for t in range(len(values))
    )
    place = head + proofs + ciphertext
    return place + terms.release[RESPONDER].sign(_item_signed(terms, slot, place))


def _hit_keys(values, keys, proven):
    """Of several matched x of one type the bytewise smallest is taken."""
    require(all(t in keys for t in proven), "a proven type does not agree")
    return {t: values[t].hit_key(min(keys[t])[1]) for t in proven}


def _plaintext(terms, release):
    package = encode(
        PACKAGE,
        {
            "fields": [(name, found) for name, found in release["fields"]],
            "conflicting_types": release["conflicting_types"],
            "handling": release["handling"],
        },
    )
    room = terms.inputs["item_bytes"] - 4 - len(package)
    require(room >= 0, "a package exceeds item_bytes")
    return u32(len(package)) + package + bytes(room)


def _package_key(terms, slot, item_id, number, hit_keys):
    info = framed("mandorla/1 package key", u8(slot), item_id, u32(number))
    return hkdf_sha256(terms.round_id, b"".join(hit_keys), info, 32)


def _package_aad(terms, slot, head):
    return framed("mandorla/1 package", terms.round_id, u8(slot), head)


def _hit_proof(terms, slot, item_id, number, key_type, ciphertext, hit_key):
    signed = framed(
        "mandorla/1 hit proof", terms.round_id, u8(slot), item_id, u32(number), u8(key_type), sha256(ciphertext)
    )
    return hmac256(hit_key, signed)


def _item_signed(terms, slot, place):
    return framed("mandorla/1 item", terms.round_id, u8(slot), place)


def _open_place(terms, values, question, slot, place):
    unsigned, signature = place[:-SIGNATURE_BYTES], place[-SIGNATURE_BYTES:]
    public = terms.release[RESPONDER].public
    require(ed25519.verify(public, _item_signed(terms, slot, unsigned), signature), "the signature of an item is wrong")
    head, rest = unsigned[:PLACE_HEAD_BYTES], unsigned[PLACE_HEAD_BYTES:]
    require(head[0] == 1, "a place that is not empty starts with 1")
    item_id, number, mask = head[1:17], int.from_bytes(head[17:21], "little"), int.from_bytes(head[21:], "little")
    require(number in question.numbers, "unknown subject number")
    proofs = [rest[t * PROOF_BYTES :][:PROOF_BYTES] for t in range(len(values))]
    ciphertext = rest[len(values) * PROOF_BYTES :]
    subject = terms.inputs.requester_subjects[question.numbers.index(number)]
    hit_keys = []
    for t, proof in enumerate(proofs):
        if mask >> t & 1:
            candidates = [values[t].hit_key(question.prf[t, x]) for kind, x in subject if kind == t]
            proving = [
                key
                for key in candidates
                if _hit_proof(terms, slot, item_id, number, t, ciphertext, key) == proof
            ]
            require(len(proving) == 1, "a hit proof does not verify")
            hit_keys += proving
        else:
            require(not any(proof), "a type that is not proven carries a proof")
    key = _package_key(terms, slot, item_id, number, hit_keys)
    plaintext = chacha20poly1305.open_sealed(key, NONCE, _package_aad(terms, slot, head), ciphertext)
    length = int.from_bytes(plaintext[:4], "little")
    require(length <= len(plaintext) - 4 and not any(plaintext[4 + length :]), "a package is not padded with zeros")
    return number, mask, decode(PACKAGE, plaintext[4 : 4 + length])


def _types(mask):
    return [t for t in range(32) if mask >> t & 1]
