"""`encode` of section 1: bincode 2 with fixed-width little-endian integers, as types that both write and read.

Values are plain Python: int, bytes, str, list, tuple, dict by field name, and (variant name, dict) for an enumeration.
"""

from check import require


class Uint:
    def __init__(self, width):
        self.width = width

    def write(self, value):
        return value.to_bytes(self.width, "little")

    def read(self, data, at):
        return int.from_bytes(_take(data, at, self.width), "little"), at + self.width


class Array:
    """[u8; n]"""

    def __init__(self, length):
        self.length = length

    def write(self, value):
        require(len(value) == self.length, f"expected {self.length} bytes, got {len(value)}")
        return bytes(value)

    def read(self, data, at):
        return _take(data, at, self.length), at + self.length


class Vec:
    def __init__(self, item):
        self.item = item

    def write(self, value):
        return U64.write(len(value)) + b"".join(map(self.item.write, value))

    def read(self, data, at):
        count, at = U64.read(data, at)
        require(count <= len(data), "a list is longer than its input")
        items = []
        for _ in range(count):
            item, at = self.item.read(data, at)
            items.append(item)
        return items, at


class Text:
    """String"""

    def write(self, value):
        raw = value.encode()
        return U64.write(len(raw)) + raw

    def read(self, data, at):
        length, at = U64.read(data, at)
        return _take(data, at, length).decode(), at + length


class Tuple:
    def __init__(self, *items):
        self.items = items

    def write(self, value):
        require(len(value) == len(self.items), "wrong number of parts")
        return b"".join(kind.write(part) for kind, part in zip(self.items, value))

    def read(self, data, at):
        parts = []
        for kind in self.items:
            part, at = kind.read(data, at)
            parts.append(part)
        return tuple(parts), at


class Struct:
    """The fields in order."""

    def __init__(self, **fields):
        self.fields = fields

    def write(self, value):
        require(value.keys() == self.fields.keys(), f"expected the fields {list(self.fields)}, got {list(value)}")
        return b"".join(kind.write(value[name]) for name, kind in self.fields.items())

    def read(self, data, at):
        value = {}
        for name, kind in self.fields.items():
            value[name], at = kind.read(data, at)
        return value, at


class Enum:
    """u32 index, then the variant's fields; variants in order of their index."""

    def __init__(self, **variants):
        self.variants = variants
        self.names = list(variants)

    def write(self, value):
        name, fields = value
        return U32.write(self.names.index(name)) + self.variants[name].write(fields)

    def read(self, data, at):
        index, at = U32.read(data, at)
        require(index < len(self.names), "unknown variant")
        fields, at = self.variants[self.names[index]].read(data, at)
        return (self.names[index], fields), at


U8, U16, U32, U64 = Uint(1), Uint(2), Uint(4), Uint(8)
STRING = Text()


def _take(data, at, length):
    require(at + length <= len(data), "input ends early")
    return data[at : at + length]


def encode(kind, value):
    return kind.write(value)


def decode(kind, data):
    """Refuses left-over bytes and any input that does not re-encode to itself."""
    value, at = kind.read(data, 0)
    require(at == len(data), "bytes are left over")
    require(kind.write(value) == data, "not the canonical encoding")
    return value
