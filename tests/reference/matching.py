"""Section 7: S finds its match keys among the cells and groups the pairs, before any linkage threshold."""

from check import require
from question import xor


def match(terms, values, prf, cells):
    """{(own subject index, subject number): {key type: [(x, F), ...]}} from S's own F and R's cells alone."""
    lookup = {cell[: terms.tag_bytes]: cell[terms.tag_bytes :] for cell in cells}
    found, types_of, ignored = {}, {}, set()
    for key_type, kind in enumerate(values):
        for x, f in zip(terms.responder_keys[key_type], prf[key_type]):
            owners = [i for i, keys in enumerate(terms.inputs.responder_subjects) if (key_type, x) in keys]
            for number, types in _payloads(kind, f, lookup, terms.inputs["max_pairs"]):
                for pair in ((owner, number) for owner in owners):
                    if not types >> key_type & 1 or types_of.setdefault(pair, types) != types:
                        ignored.add(pair)
                    found.setdefault(pair, {}).setdefault(key_type, []).append((x, f))
    pairs = _without_crowded(found, terms.inputs["max_pairs"])
    return {pair: keys for pair, keys in pairs.items() if pair not in ignored}


def agreed_types(keys):
    return sum(1 << key_type for key_type in keys)


def require_same_as_plain_join(terms, numbers, pairs):
    """The pairs are exactly those of a join over the match keys in the clear."""
    max_pairs, plain = terms.inputs["max_pairs"], {}
    for i, own in enumerate(terms.inputs.responder_subjects):
        for number, theirs in zip(numbers, terms.inputs.requester_subjects):
            common = own & theirs
            if common:
                plain[i, number] = {t: sorted(x for kind, x in common if kind == t) for t, _ in common}
    seen = {pair: {t: sorted(x for x, _ in entries) for t, entries in keys.items()} for pair, keys in pairs.items()}
    require(seen == _without_crowded(plain, max_pairs), "the match differs from a join in the clear")


def _payloads(kind, f, lookup, max_pairs):
    """(subject number, key types present) for c = 0, 1, ..., until a miss or max_pairs + 1 look-ups."""
    for c in range(max_pairs + 1):
        payload = lookup.get(kind.tag(f, c))
        if payload is None:
            return
        plain = xor(payload, kind.mask(f, c))
        yield int.from_bytes(plain[:4], "little"), int.from_bytes(plain[4:], "little")


def _without_crowded(pairs, max_pairs):
    """An own subject with more than max_pairs numbers is dropped."""
    counts = {}
    for own, _ in pairs:
        counts[own] = counts.get(own, 0) + 1
    return {pair: keys for pair, keys in pairs.items() if counts[pair[0]] <= max_pairs}
