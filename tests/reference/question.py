"""Section 6: R's cells, their root, the approval, SEEK and SEEK_ACK."""

from check import require
from framing import framed, h256, sha256, u32, u64
from ristretto import multiply
from terms import REQUESTER, RESPONDER

PAYLOAD_BYTES = 8


class Question:
    """numbers: subject number of each of R's subjects; prf: F by (key type, x); cells: sorted; root, approval."""

    def __init__(self, terms, values):
        subjects = terms.inputs.requester_subjects
        self.numbers = subject_numbers(terms.inputs.bytes32("number_seed"), len(subjects))
        self.prf = {
            (t, x): values[t].prf(x, multiply(terms.evaluation_keys[t], values[t].hash(x)))
            for keys in subjects
            for t, x in keys
        }
        self.cells = self._cells(terms, values, subjects)
        joined = b"".join(self.cells)
        self.root = h256("mandorla/1 question", terms.round_id, u64(len(self.cells)), sha256(joined))
        self.approval = terms.release[REQUESTER].sign(
            framed(
                "mandorla/1 approval",
                terms.round_id,
                terms.agreement,
                terms.responder,
                terms.purpose,
                terms.rules,
                terms.offer["dataset_commitment"],
                self.root,
            )
        )

    def seek_signature(self, terms):
        return terms.signing[REQUESTER].sign(framed("mandorla/1 seek", terms.round_id, self.root, self.approval))

    def ack_signature(self, terms, t0):
        return terms.signing[RESPONDER].sign(framed("mandorla/1 seek ack", terms.round_id, self.root, u64(t0)))

    def _cells(self, terms, values, subjects):
        holders = {}
        for number, keys in zip(self.numbers, subjects):
            for key in keys:
                holders.setdefault(key, []).append((number, present(keys)))
        cells = []
        for (t, x), found in holders.items():
            f = self.prf[t, x]
            for c, (number, types) in enumerate(sorted(found)):
                payload = u32(number) + u32(types)
                cells.append(values[t].tag(f, c) + xor(payload, values[t].mask(f, c)))
        pad_seed, padding = terms.inputs.bytes32("pad_seed"), 2**terms.cells_class - len(cells)
        for j in range(padding):
            cells.append(h256("mandorla/1 padding cell", pad_seed, u32(j))[: terms.tag_bytes + PAYLOAD_BYTES])
        cells.sort()
        tags = [cell[: terms.tag_bytes] for cell in cells]
        require(all(a < b for a, b in zip(tags, tags[1:])), "two tags are equal: start anew with another round")
        return cells


def subject_numbers(seed, count):
    """For each index the first u32 of its attempts that no smaller index took."""
    numbers = []
    for i in range(count):
        attempt = 0
        while (number := _candidate(seed, i, attempt)) in numbers:
            attempt += 1
        numbers.append(number)
    return numbers


def present(keys):
    """Bit t: the subject has a key of type t."""
    return sum(1 << t for t in {t for t, _ in keys})


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def _candidate(seed, index, attempt):
    return int.from_bytes(h256("mandorla/1 subject number", seed, u32(index), u32(attempt))[:4], "little")
