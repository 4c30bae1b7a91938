"""The types of sections 3, 8 and 10."""

from bincode import STRING, U8, U16, U32, U64, Array, Enum, Struct, Tuple, Vec, decode, encode
from check import require

CONTROL_BYTES_MAX = 65_536  # section 2

HASH = Array(32)
SIGNATURE = Array(64)

KEY_TYPE = Struct(id=STRING, public_key=HASH)

OFFER = Struct(
    suite=U16,
    agreement=HASH,
    requester=HASH,
    responder=HASH,
    purpose=STRING,
    case_commitment=HASH,
    requester_dataset=STRING,
    responder_dataset=STRING,
    dataset_commitment=HASH,
    rules=HASH,
    key_types=Vec(KEY_TYPE),
    subjects_class=U8,
    cells_class=U8,
    tag_bytes=U8,
    slots_s=Vec(U32),
    max_release=U16,
    item_bytes=U32,
    fetch_window_s=U32,
    question_deadline_s=U32,
    clock_skew_max_s=U32,
    nonce=HASH,
    time=U64,
)

RESPONDER_OFFER = Struct(
    dataset_commitment=HASH,
    rules=HASH,
    subjects_class=U8,
    evaluation_classes=Vec(U8),
    nonce=HASH,
    time=U64,
)

TERMS = Struct(requester=OFFER, responder=RESPONDER_OFFER)

PACKAGE = Struct(fields=Vec(Tuple(STRING, Vec(STRING))), conflicting_types=U32, handling=STRING)

RECEIPT = Struct(slot=U8, answer_digest=HASH, ledger_commitment=HASH, signature=SIGNATURE)

PUBLIC_KEYS = Struct(signing=HASH, transport=HASH, release=HASH)

MESSAGE = Enum(
    Ping=Struct(nonce=U64),
    Pong=Struct(nonce=U64, time=U64),
    Offer=OFFER,
    Accept=Struct(offer=RESPONDER_OFFER, signature=SIGNATURE, binding=SIGNATURE),
    Confirm=Struct(signature=SIGNATURE, binding=SIGNATURE, possession=Vec(SIGNATURE)),
    Resume=Struct(round_id=HASH, binding=SIGNATURE),
    Resumed=Struct(binding=SIGNATURE),
    Evaluated=Struct(root=HASH, signature=SIGNATURE),
    EvaluatedAck=Struct(signature=SIGNATURE),
    Seek=Struct(
        question_root=HASH,
        count=U64,
        case_reference=STRING,
        case_salt=HASH,
        approval=SIGNATURE,
        signature=SIGNATURE,
    ),
    SeekAck=Struct(time=U64, signature=SIGNATURE),
    Fetch=Struct(slot=U8),
    Answer=Struct(bytes=U64),
    Receipt=RECEIPT,
    ReceiptAck=Struct(slot=U8),
    PairOffer=Struct(facts=Vec(Tuple(U8, U8, HASH)), checkpoint=STRING),
    PairAccept=Struct(signature_line=STRING),
    Withdraw=Struct(reason=U8, signature=SIGNATURE),
    WithdrawAck=Struct(),
    Refuse=Struct(code=U16),
    Done=Struct(),
    Succeed=Struct(
        party=STRING,
        sequence=U32,
        old=PUBLIC_KEYS,
        new=PUBLIC_KEYS,
        issued=U64,
        overlap_until=U64,
        by_old=SIGNATURE,
        by_new=SIGNATURE,
    ),
    Succeeded=Struct(countersignature=SIGNATURE),
    PairState=Struct(log=U8),
    PairStateIs=Struct(size=U64, offered=U64, checkpoint=STRING),
    PairHashes=Struct(log=U8, first=U64, count=U16),
    PairHashesAre=Struct(hashes=Vec(HASH)),
    PairLeaves=Struct(log=U8, first=U64, count=U16),
    PairLeavesAre=Struct(leaves=Vec(Vec(U8))),
    PairPending=Struct(log=U8, facts=Vec(Struct(name=Struct(kind=U8, index=U8, round_id=HASH), leaf=HASH))),
    PairKnown=Struct(states=Vec(U32)),  # the index of a variant without fields
)


def message(name, **fields):
    """encode(Message), checked to decode to the same value and to fit a control frame."""
    raw = encode(MESSAGE, (name, fields))
    require(len(raw) <= CONTROL_BYTES_MAX, f"{name} exceeds a control frame")
    require(decode(MESSAGE, raw) == (name, fields), f"{name} does not decode to itself")
    return raw
