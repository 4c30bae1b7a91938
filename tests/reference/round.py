"""Recomputes every byte of a round from docs/reference/protocol.md: `python3 round.py INPUTS.json`."""

import json
import sys

import matching
import pairlog
from answer import Answer, open_answer
from check import CheckFailed, require
from evaluation import Evaluation
from messages import message
from pairlog import PairLog
from proofs import prove_possession, verify_possession
from question import Question
from terms import REQUESTER, RESPONDER, Inputs, Terms, possession_context
from values import KeyTypeValues


def compute(raw_inputs):
    """The whole round as the JSON object that this program prints."""
    terms = Terms(Inputs(raw_inputs))
    values = [KeyTypeValues(terms, t) for t in range(len(terms.inputs.key_types))]
    evaluation = Evaluation(terms, values)
    question = Question(terms, values)
    pairs = matching.match(terms, values, evaluation.prf, question.cells)
    matching.require_same_as_plain_join(terms, question.numbers, pairs)
    slots = range(len(terms.slots_s))
    require(all(release["slot"] in slots for release in terms.inputs["releases"]), "a release in no slot")
    answers = [Answer(terms, values, pairs, question.numbers, slot) for slot in slots]
    _require_released_items_open(terms, values, question, answers)
    return {
        "round_id": terms.round_id.hex(),
        "contexts": [kind.dst.hex() for kind in values],
        "responder_prf": [[f.hex() for f in column] for column in evaluation.prf],
        "subject_numbers": question.numbers,
        "pairs": sorted([own, number, matching.agreed_types(keys)] for (own, number), keys in pairs.items()),
        "transcript": [
            {"name": name, "bytes": raw.hex()}
            for name, raw in [
                *_opening(terms),
                *_evaluation(terms, evaluation),
                *_question(terms, evaluation, question, answers),
            ]
        ],
    }


def _opening(terms):
    yield "offer", message("Offer", **terms.offer)
    yield "accept", message(
        "Accept",
        offer=terms.responder_offer,
        signature=terms.terms_signature(RESPONDER),
        binding=terms.binding(RESPONDER),
    )
    yield "confirm", message(
        "Confirm",
        signature=terms.terms_signature(REQUESTER),
        binding=terms.binding(REQUESTER),
        possession=[_possession(terms, t) for t in range(len(terms.public_keys))],
    )


def _possession(terms, key_type):
    key, public_key = terms.evaluation_keys[key_type], terms.public_keys[key_type]
    context = possession_context(terms, key_type)
    proof = prove_possession(key, public_key, context, terms.inputs.possession_randomness[key_type])
    verify_possession(public_key, context, proof)
    return proof


def _evaluation(terms, evaluation):
    for key_type, index, request, reply in evaluation.chunks:
        yield f"chunk-request {key_type} {index}", request
        yield f"chunk-reply {key_type} {index}", reply
    signature = evaluation.signature(terms, RESPONDER)
    yield "evaluated", message("Evaluated", root=evaluation.root, signature=signature)
    yield "evaluated-ack", message("EvaluatedAck", signature=evaluation.signature(terms, REQUESTER))


def _question(terms, evaluation, question, answers):
    """From the first pair offer to the last: one log is behind both."""
    log, t0 = PairLog(terms), terms.inputs["t0"]
    yield from _pair_exchange(log, 0, [pairlog.terms_fact(terms), pairlog.evaluation_fact(evaluation)])
    yield from _resumed_connection(terms, "")
    yield "seek", message(
        "Seek",
        question_root=question.root,
        count=len(question.cells),
        case_reference=terms.inputs["case_reference"],
        case_salt=terms.inputs.bytes32("case_salt"),
        approval=question.approval,
        signature=question.seek_signature(terms),
    )
    yield "cells", b"".join(question.cells)
    yield "seek-ack", message("SeekAck", time=t0, signature=question.ack_signature(terms, t0))
    facts = [pairlog.question_fact(question, t0)]
    for answer in answers:
        yield from _resumed_connection(terms, f" {answer.slot}")
        yield f"fetch {answer.slot}", message("Fetch", slot=answer.slot)
        yield f"answer-header {answer.slot}", message("Answer", bytes=len(answer.raw))
        yield f"answer {answer.slot}", answer.raw
        yield f"receipt {answer.slot}", message("Receipt", **answer.receipt)
        yield f"receipt-ack {answer.slot}", message("ReceiptAck", slot=answer.slot)
        yield from _pair_exchange(log, 1 + answer.slot, facts + pairlog.answer_facts(answer))
        facts = []


def _resumed_connection(terms, suffix):
    """The question and each answer have a connection of their own."""
    yield f"resume{suffix}", message("Resume", round_id=terms.round_id, binding=terms.binding(REQUESTER))
    yield f"resumed{suffix}", message("Resumed", binding=terms.binding(RESPONDER))


def _pair_exchange(log, number, facts):
    offer, accept = log.append(facts)
    yield f"pair-offer {number}", message("PairOffer", **offer)
    yield f"pair-accept {number}", message("PairAccept", **accept)


def _require_released_items_open(terms, values, question, answers):
    """R finds, in each answer, exactly what the inputs release there."""
    for answer in answers:
        opened = open_answer(terms, values, question, answer.slot, answer.raw)
        planted = [
            (
                question.numbers[release["requester_subject"]],
                release["proven_types"],
                {
                    "fields": [(name, found) for name, found in release["fields"]],
                    "conflicting_types": release["conflicting_types"],
                    "handling": release["handling"],
                },
            )
            for release in terms.inputs["releases"]
            if release["slot"] == answer.slot
        ]
        require(sorted(opened, key=repr) == sorted(planted, key=repr), "an opened item differs from its release")


def main(arguments):
    if len(arguments) != 1:
        print("usage: round.py INPUTS.json", file=sys.stderr)
        return 2
    with open(arguments[0], encoding="utf-8") as file:
        raw_inputs = json.load(file)
    try:
        result = compute(raw_inputs)
    except CheckFailed as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    json.dump(result, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
