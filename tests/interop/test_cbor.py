"""The CBOR reader: all kinds of items, and refusal of everything else."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.cbor_writer import encode
from skxmr.interop._cbor import WINDOW, CborError, read_cbor

NUMBERS = st.integers(0, 2**63 - 1) | st.floats(allow_nan=False)
ITEMS = st.recursive(
    NUMBERS | st.text(max_size=20) | st.lists(NUMBERS),
    lambda items: st.lists(st.text(max_size=5) | st.dictionaries(st.text(max_size=5), items)),
)


def to_lists(item):
    if isinstance(item, np.ndarray):
        return item.tolist()
    if isinstance(item, list):
        return [to_lists(one) for one in item]
    if isinstance(item, dict):
        return {key: to_lists(value) for key, value in item.items()}
    return item


def close(item):
    # Integers next to floats become floats.
    if isinstance(item, list):
        has_floats = any(isinstance(one, float) for one in item)
        return [float(one) if has_floats and isinstance(one, int) else close(one) for one in item]
    if isinstance(item, dict):
        return {key: close(value) for key, value in item.items()}
    return item


@given(ITEMS)
def test_read_cbor_returns_what_was_written(item):
    assert to_lists(read_cbor(encode(item))) == close(item)


@given(st.integers(0, 1000), st.integers(0, 3 * WINDOW))
def test_long_arrays_are_read_in_windows(seed, n):
    rng = np.random.default_rng(seed)
    integers = (2.0 ** rng.uniform(0, 62, n)).astype(np.int64)
    np.testing.assert_array_equal(read_cbor(encode(integers.tolist())), integers)
    floats = np.where(rng.random(n) < 0.3, 0.0, rng.standard_normal(n).astype(np.float32))
    np.testing.assert_array_equal(read_cbor(encode(floats.tolist())), floats)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an end within an item"),
        (b"\x00\x00", "1 bytes after the end"),
        (b"\x20", "the byte 0x20 at 0"),  # a negative integer
        (b"\x40", "the byte 0x40 at 0"),  # bytes
        (b"\x9f\x00\xff", "the byte 0x9f at 0"),  # an array of unknown length
        (b"\xc0\x00", "the byte 0xc0"),  # a tag
        (b"\xf6", "the byte 0xf6"),  # null
        (b"\x1c", "the byte 0x1c"),  # reserved
        (b"\x18", "an end within a number"),
        (b"\x82\x00", "2 items or bytes at 1, beyond the end"),
        (b"\x82\x00\x60", "the byte 0x60 at 2, which begins no number"),
        (b"\x83\x00\x19\x01", "an end within a number"),
        (b"\x82\x60\x20", "the byte 0x20"),
        (b"\x9b" + b"\xff" * 8, "18446744073709551615 items"),
        (b"\x7b" + b"\xff" * 8, "18446744073709551615 items"),
        (b"\x1b" + b"\xff" * 8, "the integer 18446744073709551615"),
        (b"\x62\xff\xff", "a text that is not UTF-8 at 1"),
        (b"\x78\xc8" + b"a" * 200, "a text of 200 bytes"),
        (b"\xb8\xc8" + b"a" * 200, "a map of 200 entries"),
        (b"\xa2\x61a\x00\x61a\x00", "the key 'a'"),
        (b"\xa1\x00\x00", "the key '0'"),
        (b"\x81" * 600 + b"\x00", "more than 200 nested items"),
    ],
)
def test_other_bytes_are_refused(content, message):
    with pytest.raises(CborError, match=message):
        read_cbor(content)


@given(st.binary())
def test_any_bytes_are_read_or_refused(content):
    with suppress(CborError):  # any other error fails the test
        read_cbor(content)
