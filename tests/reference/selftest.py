"""Published vectors for every building block, and refusals: `python3 selftest.py`; exit status 1 on failure."""

import base64
import copy
import json
import pathlib
import sys

import bincode
import chacha20poly1305
import ed25519
import edwards
import merkle
import note
import ristretto
from answer import HEADER_BYTES, PLACE_HEAD_BYTES, PROOF_BYTES, open_answer
from check import CheckFailed, require
from framing import framed, h256, u8, u16
from hash_to_group import expand_message_xmd
from hkdf import hkdf_sha256
from messages import MESSAGE, message
from proofs import prove_chunk, verify_chunk
from question import Question, subject_numbers
from round import compute
from terms import RESPONDER, Inputs, Terms, class_log2
from values import KeyTypeValues

# RFC 9496, appendix A.1: the multiples 0 to 15 of the generator.
GENERATOR_MULTIPLES = """
0000000000000000000000000000000000000000000000000000000000000000
e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76
6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919
94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259
da80862773358b466ffadfe0b3293ab3d9fd53c5ea6c955358f568322daf6a57
e882b131016b52c1d3337080187cf768423efccbb517bb495ab812c4160ff44e
f64746d3c92b13050ed8d80236a7f0007c3b3f962f5ba793d19a601ebb1df403
44f53520926ec81fbd5a387845beb7df85a96a24ece18738bdcfa6a7822a176d
903293d8f2287ebe10e2374dc1a53e0bc887e592699f02d077d5263cdd55601c
02622ace8f7303a31cafc63f8fc48fdc16e1c8c8d234b2f0d6685282a9076031
20706fd788b2720a1ed2a5dad4952b01f413bcf0e7564de8cdc816689e2db95f
bce83f8ba5dd2fa572864c24ba1810f9522bc6004afe95877ac73241cafdab42
e4549ee16b9aa03099ca208c67adafcafa4c3f3e4e5303de6026e3ca8ff84460
aa52e000df2e16f55fb1032fc33bc42742dad6bd5a8fc0be0167436c5948501f
46376b80f409b29dc2b5f6f0c52591990896e5716f41477cd30085ab7f10301e
e0c418f7c8d9c4cdd7395b93ea124f3ad99021bb681dfc3302a9d99a2e53e64e
""".split()

# RFC 9496, appendix A.2: not canonical, negative, non-square x^2, negative xy, y = 0.
BAD_ENCODINGS = """
00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
0100000000000000000000000000000000000000000000000000000000000000
ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20
26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371
4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f
3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e
a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220
ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
""".split()

# RFC 9496, appendix A.3: 64 uniform bytes and the element; the last two share one element.
UNIFORM = [
    (
        "5d1be09e3d0c82fc538112490e35701979d99e06ca3e2b5b54bffe8b4dc772c1"
        "4d98b696a1bbfb5ca32c436cc61c16563790306c79eaca7705668b47dffe5bb6",
        "3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46",
    ),
    (
        "f116b34b8f17ceb56e8732a60d913dd10cce47a6d53bee9204be8b44f6678b27"
        "0102a56902e2488c46120e9276cfe54638286b9e4b3cdb470b542d46c2068d38",
        "f26e5b6f7d362d2d2a94c5d0e7602cb4773c95a2e5c31a64f133189fa76ed61b",
    ),
    (
        "8422e1bbdaab52938b81fd602effb6f89110e1e57208ad12d9ad767e2e25510c"
        "27140775f9337088b982d83d7fcf0b2fa1edffe51952cbe7365e95c86eaf325c",
        "006ccd2a9e6867e6a2c5cea83d3302cc9de128dd2a9a57dd8ee7b9d7ffe02826",
    ),
    (
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "1200000000000000000000000000000000000000000000000000000000000000",
        "304282791023b73128d277bdcb5c7746ef2eac08dde9f2983379cb8e5ef0517f",
    ),
    (
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "304282791023b73128d277bdcb5c7746ef2eac08dde9f2983379cb8e5ef0517f",
    ),
]

# RFC 9380, appendix K.3: expand_message_xmd with SHA-512.
XMD_DST = b"QUUX-V01-CS02-with-expander-SHA512-256"
XMD = [
    (b"", "6b9a7312411d92f921c6f68ca0b6380730a1a4d982c507211a90964c394179ba"),
    (b"abc", "0da749f12fbe5483eb066a5f595055679b976e93abe9be6f0f6318bce7aca8dc"),
    (b"abcdef0123456789", "087e45a86e2939ee8b91100af1583c4938e0f5fc6c9db4b107b83346bc967f58"),
    (
        b"",
        "41b037d1734a5f8df225dd8c7de38f851efdb45c372887be655212d07251b921"
        "b052b62eaed99b46f72f2ef4cc96bfaf254ebbbec091e1a3b9e4fb5e5b619d2e"
        "0c5414800a1d882b62bb5cd1778f098b8eb6cb399d5d9d18f5d5842cf5d13d7e"
        "b00a7cff859b605da678b318bd0e65ebff70bec88c753b159a805d2c89c55961",
    ),
]

# RFC 8032, section 7.1, tests 1 to 3: seed, public key, message, signature.
ED25519 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]

# The leaves and roots of the Certificate Transparency project's own tests for RFC 6962; the first root is the empty
# tree's, given by RFC 6962, section 2.1, as the hash of the empty string.
TREE_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
TREE_ROOTS = """
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125
aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77
d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7
4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4
76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef
ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c
5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328
""".split()


def multiples_of_the_generator():
    point = ristretto.IDENTITY
    for i, expected in enumerate(GENERATOR_MULTIPLES):
        same(ristretto.encode(point), expected)
        same(ristretto.encode(ristretto.multiply(i, ristretto.GENERATOR)), expected)
        same(ristretto.encode(ristretto.decode(bytes.fromhex(expected))), expected)
        point = ristretto.add(point, ristretto.GENERATOR)
    same(ristretto.encode(ristretto.multiply(edwards.L, ristretto.GENERATOR)), GENERATOR_MULTIPLES[0])


def bad_encodings_and_the_identity_are_refused():
    for encoded in BAD_ENCODINGS:
        refused(ristretto.decode, bytes.fromhex(encoded))
    refused(ristretto.decode_received, bytes(32))


def one_way_map():
    for uniform, expected in UNIFORM:
        same(ristretto.encode(ristretto.from_uniform_bytes(bytes.fromhex(uniform))), expected)


def message_expansion():
    for message, expected in XMD:
        same(expand_message_xmd(message, XMD_DST, len(expected) // 2), expected)


def ed25519_signatures():
    for seed, public, message, signature in (map(bytes.fromhex, vector) for vector in ED25519):
        same(ed25519.public_key(seed), public.hex())
        same(ed25519.sign(seed, message), signature.hex())
        require(ed25519.verify(public, message, signature), "a valid signature is refused")
        require(not ed25519.verify(public, message + b"\x00", signature), "another message is accepted")
        unreduced = int.from_bytes(signature[32:], "little") + edwards.L
        malleable = signature[:32] + unreduced.to_bytes(32, "little")
        require(not ed25519.verify(public, message, malleable), "an unreduced s is accepted")


def aead():
    """RFC 8439, section 2.8.2."""
    key, nonce = bytes(range(0x80, 0xA0)), bytes.fromhex("070000004041424344454647")
    aad = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    plaintext = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    sealed = chacha20poly1305.seal(key, nonce, aad, plaintext)
    same(
        sealed,
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
    )
    same(chacha20poly1305.open_sealed(key, nonce, aad, sealed), plaintext.hex())
    refused(chacha20poly1305.open_sealed, key, nonce, aad, flipped(sealed, 0))
    refused(chacha20poly1305.open_sealed, key, nonce, flipped(aad, 0), sealed)


def key_derivation():
    """RFC 5869, appendix A.1."""
    okm = hkdf_sha256(bytes(range(13)), b"\x0b" * 22, bytes(range(0xF0, 0xFA)), 42)
    same(okm, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")


def merkle_roots():
    leaves = [bytes.fromhex(leaf) for leaf in TREE_LEAVES]
    for size, expected in enumerate(TREE_ROOTS):
        same(merkle.tree_hash(leaves[:size]), expected)


def signed_notes():
    """The example note of the package documentation of golang.org/x/mod/sumdb/note."""
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    public = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]
    line = (
        "\u2014 PeterNeumann "
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    same(note.key_id("PeterNeumann", public), "c74f20a3")
    note.verify_line("PeterNeumann", public, text, line)
    refused(note.verify_line, "PeterNeumann", public, text + "\n", line)


def framing_and_encoding():
    """Written out by hand from section 1."""
    same(framed("ab", b"\x01", u16(2)), "02" "6162" "0100000000000000" "01" "0200000000000000" "0200")
    pair_offer = ("PairOffer", {"facts": [(1, 0, bytes(32))], "checkpoint": "\u00e9"})
    raw = bincode.encode(MESSAGE, pair_offer)
    same(raw, "0f000000" "0100000000000000" "01" "00" + "00" * 32 + "0200000000000000" "c3a9")
    require(bincode.decode(MESSAGE, raw) == pair_offer, "a message does not decode to itself")
    refused(bincode.decode, MESSAGE, raw + b"\x00")
    refused(bincode.decode, MESSAGE, raw[:-1])
    refused(bincode.decode, MESSAGE, b"\x1f\x00\x00\x00")
    same(bincode.encode(MESSAGE, ("Done", {})), "14000000")


def succession_and_reconciling_messages():
    """Written out by hand from section 10."""
    key, pair, signature = b"\x01" * 32, {"kind": 4, "index": 1, "round_id": b"\x02" * 32}, b"\x03" * 64
    keys = {"signing": key, "transport": key, "release": key}
    by_hand = [
        (
            "Succeed",
            {"party": "UK", "sequence": 1, "old": keys, "new": keys, "issued": 2, "overlap_until": 3}
            | {"by_old": signature, "by_new": signature},
            "15000000" "0200000000000000" "554b" "01000000" + "01" * 192 + "0200000000000000" "0300000000000000" + "03" * 128,
        ),
        ("Succeeded", {"countersignature": signature}, "16000000" + "03" * 64),
        ("PairState", {"log": 1}, "17000000" "01"),
        (
            "PairStateIs",
            {"size": 2, "offered": 3, "checkpoint": "n"},
            "18000000" "0200000000000000" "0300000000000000" "0100000000000000" "6e",
        ),
        ("PairHashes", {"log": 0, "first": 5, "count": 1024}, "19000000" "00" "0500000000000000" "0004"),
        ("PairHashesAre", {"hashes": [key]}, "1a000000" "0100000000000000" + "01" * 32),
        ("PairLeaves", {"log": 1, "first": 0, "count": 256}, "1b000000" "01" "0000000000000000" "0001"),
        ("PairLeavesAre", {"leaves": [[7, 8], []]}, "1c000000" "0200000000000000" "0200000000000000" "0708" "0000000000000000"),
        (
            "PairPending",
            {"log": 0, "facts": [{"name": pair, "leaf": key}]},
            "1d000000" "00" "0100000000000000" "0401" + "02" * 32 + "01" * 32,
        ),
        ("PairKnown", {"states": [0, 4]}, "1e000000" "0200000000000000" "00000000" "04000000"),
    ]
    for name, fields, expected in by_hand:
        same(message(name, **fields), expected)
    for cut in (by_hand[0], by_hand[8]):
        refused(bincode.decode, MESSAGE, bytes.fromhex(cut[2])[:-1])


def classes_and_subject_numbers():
    require([class_log2(n) for n in (0, 1, 4, 5, 8, 9)] == [2, 2, 2, 3, 3, 4], "a class is wrong")
    refused(class_log2, 2**30 + 1)
    numbers = subject_numbers(bytes(32), 100)
    require(len(set(numbers)) == 100, "a subject number occurs twice")
    require(numbers[:7] == subject_numbers(bytes(32), 7), "a number depends on a later index")


def chunk_proof_binds_every_part():
    key = 7
    public = ristretto.encode(ristretto.multiply(key, ristretto.GENERATOR))
    points = [ristretto.multiply(i, ristretto.GENERATOR) for i in range(2, 8)]
    requests = [ristretto.encode(point) for point in points]
    replies = [ristretto.encode(ristretto.multiply(key, point)) for point in points]
    proof = prove_chunk(key, public, b"context", requests, replies, bytes(32))
    verify_chunk(public, b"context", requests, replies, proof)
    swapped = [replies[1], replies[0], *replies[2:]]
    refused(verify_chunk, public, b"context", requests, swapped, proof)
    refused(verify_chunk, public, b"other context", requests, replies, proof)
    refused(verify_chunk, requests[0], b"context", requests, replies, proof)
    refused(verify_chunk, public, b"context", requests, replies, flipped(proof, 40))


def example_round():
    """The example computes twice to the same bytes, has a shared key under c = 0 and 1, and refuses what is altered."""
    inputs = json.loads((pathlib.Path(__file__).parent / "example.json").read_text(encoding="utf-8"))
    result = compute(inputs)
    require(result == compute(copy.deepcopy(inputs)), "the round is not deterministic")
    shared = [pair for pair in result["pairs"] if pair[2] >> 1 & 1]
    require(len(shared) == 2, "the shared key does not give two pairs")
    crowded = compute(inputs | {"max_pairs": 1, "releases": []})
    require(crowded["pairs"] == [], "a subject with more than max_pairs numbers is not dropped")
    refused(compute, inputs | {"max_pairs": 1})
    refused(compute, inputs | {"item_bytes": 16})
    wrong_type = inputs["releases"][0] | {"requester_subject": 1, "proven_types": 3}
    refused(compute, inputs | {"releases": [wrong_type]})
    _altered_answers_are_refused(inputs, result)


def _altered_answers_are_refused(inputs, result):
    """Also where S itself signs the altered bytes: then the item's signature, its proofs or its tag refuse."""
    terms = Terms(Inputs(inputs))
    values = [KeyTypeValues(terms, t) for t in range(len(terms.inputs.key_types))]
    question = Question(terms, values)
    slot = inputs["releases"][0]["slot"]
    raw = bytes.fromhex(next(e["bytes"] for e in result["transcript"] if e["name"] == f"answer {slot}"))
    require(len(open_answer(terms, values, question, slot, raw)) == 1, "the item does not open")
    proofs_at = HEADER_BYTES + PLACE_HEAD_BYTES
    ciphertext_at = proofs_at + PROOF_BYTES * len(values)
    signature_at = ciphertext_at + inputs["item_bytes"] + chacha20poly1305.TAG_BYTES
    for at in (0, HEADER_BYTES, HEADER_BYTES + 1, proofs_at, ciphertext_at, signature_at, len(raw) - 1):
        refused(open_answer, terms, values, question, slot, flipped(raw, at))
    for at in (HEADER_BYTES + 1, proofs_at, ciphertext_at, signature_at - 1):
        body = flipped(raw[:-64], at)
        refused(open_answer, terms, values, question, slot, _signed_answer(terms, body))
        place = framed("mandorla/1 item", terms.round_id, u8(slot), body[HEADER_BYTES:signature_at])
        signature = terms.release[RESPONDER].sign(place)
        resigned = body[:signature_at] + signature + body[signature_at + 64 :]
        refused(open_answer, terms, values, question, slot, _signed_answer(terms, resigned))


def _signed_answer(terms, body):
    digest = h256("mandorla/1 answer", body)
    return body + terms.signing[RESPONDER].sign(framed("mandorla/1 answer", digest))


def same(actual, expected_hex):
    require(actual.hex() == expected_hex, f"got {actual.hex()}, expected {expected_hex}")


def refused(function, *arguments):
    try:
        function(*arguments)
    except CheckFailed:
        return
    raise CheckFailed(f"{function.__name__} accepted what it must refuse")


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


TESTS = [
    multiples_of_the_generator,
    bad_encodings_and_the_identity_are_refused,
    one_way_map,
    message_expansion,
    ed25519_signatures,
    aead,
    key_derivation,
    merkle_roots,
    signed_notes,
    framing_and_encoding,
    succession_and_reconciling_messages,
    classes_and_subject_numbers,
    chunk_proof_binds_every_part,
    example_round,
]


def main():
    failed = 0
    for test in TESTS:
        try:
            test()
            print(f"ok    {test.__name__}")
        except Exception as reason:  # a crash is a failure of its test, and the others still run
            failed += 1
            print(f"FAIL  {test.__name__}: {type(reason).__name__}: {reason}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
