"""A writer of CBOR, for tests of the reader."""

import struct


def encode(item):
    """Return an item as bytes, with the shortest form of each number."""
    if isinstance(item, float):
        return _encode_float(item)
    if isinstance(item, int):
        return _head(0, item)
    if isinstance(item, str):
        return _head(3, len(item.encode())) + item.encode()
    if isinstance(item, list):
        return _head(4, len(item)) + b"".join(map(encode, item))
    entries = (encode(key) + encode(value) for key, value in item.items())
    return _head(5, len(item)) + b"".join(entries)


def _encode_float(value):
    for first, code in ((0xF9, "e"), (0xFA, "f")):
        try:
            content = struct.pack(f">{code}", value)
        except OverflowError:
            continue
        if struct.unpack(f">{code}", content)[0] == value:
            return bytes([first]) + content
    return b"\xfb" + struct.pack(">d", value)


def _head(kind, length):
    if length < 24:
        return bytes([kind << 5 | length])
    for first, code in ((24, "B"), (25, "H"), (26, "I"), (27, "Q")):
        if length < 2 ** (8 * struct.calcsize(f">{code}")):
            return bytes([kind << 5 | first]) + struct.pack(f">{code}", length)
    raise ValueError(f"length must be below 2**64; got {length}.")
