"""Section 3: the two nodes, the terms, and what is signed under `round_id`."""

import ed25519
import ristretto
from check import require
from framing import framed, h256, read_scalar, u8
from messages import TERMS
from bincode import encode

SUITE = 1
REQUESTER, RESPONDER = 0, 1  # role bytes

CLASS_LOG2_MIN, CLASS_LOG2_MAX = 2, 30
KEY_TYPES_MAX = 32
SLOTS_MAX = 8
TAG_BYTES_MAX = 16
CLOCK_SKEW_MAX_S = 300
CUTOFF_S = 300


class Key:
    """An Ed25519 key; every signature it makes is verified at once."""

    def __init__(self, seed):
        self.seed = seed
        self.public = ed25519.public_key(seed)

    def sign(self, message):
        signature = ed25519.sign(self.seed, message)
        require(ed25519.verify(self.public, message, signature), "a signature does not verify")
        return signature


class Inputs:
    """INPUTS.json with its hex strings read and its subjects as sets of (key type, match key)."""

    def __init__(self, raw):
        self.raw = raw
        self.key_types = raw["key_types"]
        self.evaluation_keys = self.bytes_list("evaluation_keys")
        self.possession_randomness = self.bytes_list("possession_randomness")
        for name in ("evaluation_keys", "possession_randomness"):
            require(len(raw[name]) == len(self.key_types), f"{name}: one per key type")
        require(0 < len(self.key_types) <= KEY_TYPES_MAX, "number of key types")
        require(len(set(self.key_types)) == len(self.key_types), "a key type occurs twice")
        self.requester_subjects = [self._keys(subject) for subject in raw["requester_subjects"]]
        self.responder_subjects = [self._keys(subject) for subject in raw["responder_subjects"]]
        self.references = [subject["reference"] for subject in raw["responder_subjects"]]
        self.proof_randomness = {
            (entry["key_type"], entry["chunk"]): _hash_sized(entry["bytes"]) for entry in raw["proof_randomness"]
        }

    def __getitem__(self, name):
        return self.raw[name]

    def bytes32(self, name):
        return _hash_sized(self.raw[name])

    def bytes_list(self, name):
        return [_hash_sized(item) for item in self.raw[name]]

    def _keys(self, subject):
        keys = {(key_type, bytes.fromhex(x)) for key_type, x in subject["keys"]}
        require(all(0 <= key_type < len(self.key_types) for key_type, _ in keys), "unknown key type")
        return keys


class Terms:
    """The agreed terms of one round and the secrets behind them."""

    def __init__(self, inputs):
        self.inputs = inputs
        self.signing = [Key(inputs.bytes32("requester_signing_seed")), Key(inputs.bytes32("responder_signing_seed"))]
        self.release = [Key(inputs.bytes32("requester_release_seed")), Key(inputs.bytes32("responder_release_seed"))]
        self.agreement = h256("mandorla/1 agreement", bytes.fromhex(inputs["agreement"]))
        self.purpose = inputs["purpose"]
        self.rules = inputs.bytes32("rules")
        self.nonces = [inputs.bytes32("requester_nonce"), inputs.bytes32("responder_nonce")]
        self.evaluation_keys = [read_scalar(key) for key in inputs.evaluation_keys]
        require(all(self.evaluation_keys), "an evaluation key is zero")
        self.public_keys = [
            ristretto.encode(ristretto.multiply(key, ristretto.GENERATOR)) for key in self.evaluation_keys
        ]
        self.tag_bytes = inputs["tag_bytes"]
        self.responder_keys = _keys_of_each_type(inputs.responder_subjects, len(inputs.key_types))
        self.evaluation_classes = [class_log2(len(keys)) for keys in self.responder_keys]
        self.cells_class = class_log2(sum(map(len, inputs.requester_subjects)))
        self.offer = self._offer()
        self.responder_offer = self._responder_offer()
        self.round_id = h256(
            "mandorla/1 round", encode(TERMS, {"requester": self.offer, "responder": self.responder_offer})
        )
        self.slots_s = inputs["slots_s"]
        self._refuse_illegal()

    @property
    def requester(self):
        return self.signing[REQUESTER].public

    @property
    def responder(self):
        return self.signing[RESPONDER].public

    def terms_signature(self, role):
        return self.signing[role].sign(framed("mandorla/1 terms", u8(role), self.round_id))

    def binding(self, role):
        exporter = self.inputs.bytes32("exporter")
        return self.signing[role].sign(framed("mandorla/1 binding", u8(role), self.round_id, exporter))

    def _offer(self):
        inputs = self.inputs
        return {
            "suite": SUITE,
            "agreement": self.agreement,
            "requester": self.requester,
            "responder": self.responder,
            "purpose": self.purpose,
            "case_commitment": h256("mandorla/1 case", inputs.bytes32("case_salt"), inputs["case_reference"]),
            "requester_dataset": inputs["requester_dataset"],
            "responder_dataset": inputs["responder_dataset"],
            "dataset_commitment": self._dataset_commitment("requester"),
            "rules": self.rules,
            "key_types": [
                {"id": name, "public_key": key} for name, key in zip(inputs.key_types, self.public_keys)
            ],
            "subjects_class": class_log2(len(inputs.requester_subjects)),
            "cells_class": self.cells_class,
            "tag_bytes": self.tag_bytes,
            "slots_s": inputs["slots_s"],
            "max_release": inputs["max_release"],
            "item_bytes": inputs["item_bytes"],
            "fetch_window_s": inputs["fetch_window_s"],
            "question_deadline_s": inputs["question_deadline_s"],
            "clock_skew_max_s": CLOCK_SKEW_MAX_S,
            "nonce": self.nonces[REQUESTER],
            "time": inputs["requester_time"],
        }

    def _responder_offer(self):
        inputs = self.inputs
        return {
            "dataset_commitment": self._dataset_commitment("responder"),
            "rules": self.rules,
            "subjects_class": class_log2(len(inputs.responder_subjects)),
            "evaluation_classes": self.evaluation_classes,
            "nonce": self.nonces[RESPONDER],
            "time": inputs["responder_time"],
        }

    def _dataset_commitment(self, party):
        salt = self.inputs.bytes32(f"{party}_dataset_salt")
        return h256("mandorla/1 dataset", salt, self.inputs.bytes32(f"{party}_dataset_digest"))

    def _refuse_illegal(self):
        """The bounds that both sides apply to these terms (sections 2, 3 and 6)."""
        inputs, slots_s = self.inputs, self.slots_s
        require(0 < self.tag_bytes <= TAG_BYTES_MAX, "tag_bytes")
        require(0 < len(slots_s) <= SLOTS_MAX and slots_s == sorted(set(slots_s)), "slots_s")
        skew_s = abs(inputs["requester_time"] - inputs["responder_time"])
        require(skew_s <= CLOCK_SKEW_MAX_S, "the clocks differ too much")
        cutoff_s = min(CUTOFF_S, max(1, slots_s[0] // 10))
        quiet_ms = 1000 + (2**self.cells_class + sum(2**c for c in self.evaluation_classes)) // 100
        require(slots_s[0] * 1000 >= quiet_ms + 1000 * cutoff_s, "the first slot is too early")
        deadline = inputs["responder_time"] + inputs["question_deadline_s"]
        require(inputs["t0"] <= deadline, "the question comes after its deadline")


def possession_context(terms, key_type):
    return framed("mandorla/1 possession context", terms.round_id, u8(key_type))


def class_log2(count):
    """log2 of the padded size: at least 2, the empty set included."""
    result = max(CLASS_LOG2_MIN, (count - 1).bit_length() if count else 0)
    require(result <= CLASS_LOG2_MAX, "a set is too large")
    return result


def _keys_of_each_type(subjects, key_types):
    """The distinct match keys of each type, ascending by their bytes."""
    return [sorted({x for keys in subjects for t, x in keys if t == key_type}) for key_type in range(key_types)]


def _hash_sized(text):
    raw = bytes.fromhex(text)
    require(len(raw) == 32, "expected 32 bytes of hex")
    return raw
