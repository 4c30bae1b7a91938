"""Section 9: the pair log, its facts and its checkpoints."""

import merkle
import note
from bincode import encode
from framing import framed, h256, u8, u64
from messages import RECEIPT
from terms import REQUESTER, RESPONDER

TERMS_FACT, EVALUATION_FACT, QUESTION_FACT, ANSWER_FACT, RECEIPT_FACT = 1, 2, 3, 4, 5


class PairLog:
    """The log of one requester-responder direction, empty at the start of the round."""

    def __init__(self, terms):
        self.terms = terms
        self.leaves = []
        requester, responder = terms.requester.hex(), terms.responder.hex()
        self.origin = f"mandorla/pair/{requester}/{responder}"

    def append(self, facts):
        """Appends (kind, index, body) facts; gives the fields of PAIR_OFFER and of PAIR_ACCEPT."""
        terms = self.terms
        for kind, index, body in facts:
            salt = h256("mandorla/1 fact salt", *terms.nonces, u8(kind), u8(index))
            self.leaves.append(framed("mandorla/1 fact", salt, u8(kind), terms.round_id, body))
        text = note.checkpoint_body(self.origin, len(self.leaves), merkle.tree_hash(self.leaves))
        offer = {
            "facts": [(kind, index, terms.round_id) for kind, index, _ in facts],
            "checkpoint": note.assemble(text, self._line(REQUESTER, text)),
        }
        return offer, {"signature_line": self._line(RESPONDER, text)}

    def _line(self, role, text):
        key = self.terms.signing[role]
        line = note.signature_line(key.public.hex(), key.seed, text)
        note.verify_line(key.public.hex(), key.public, text, line)
        return line


def terms_fact(terms):
    return TERMS_FACT, 0, u64(sum(2**size for size in terms.evaluation_classes))


def evaluation_fact(evaluation):
    return EVALUATION_FACT, 0, evaluation.root


def question_fact(question, t0):
    return QUESTION_FACT, 0, question.root + u64(t0)


def answer_facts(answer):
    # encode(Receipt) is read as the fields of the receipt without the message's index.
    digest = h256("mandorla/1 receipt digest", encode(RECEIPT, answer.receipt))
    return [(ANSWER_FACT, answer.slot, answer.digest), (RECEIPT_FACT, answer.slot, digest)]
