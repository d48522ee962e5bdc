"""A reader of the subset of CBOR (RFC 8949) that omikuji writes.

The subset: unsigned integers, floats of 16, 32 and 64 bits, texts, and arrays and maps of known
length. Maps have texts as keys. An array that begins with a number contains numbers only, and
becomes a numpy array. Files may have been damaged or made by an attacker: memory is proportional to
the size of the file, whatever lengths it claims, and the depth is limited.
"""

import numpy as np

# omikuji's default is a tree of depth 20, with three nested items per node.
MAX_DEPTH = 200
MAX_TEXT = 100
MAX_KEYS = 100
UNSIGNED, TEXT, ARRAY, MAP = 0, 3, 4, 5
# Number of bytes of a number, by its first byte; 0 if it does not begin a number.
SIZES = np.zeros(256, dtype=np.uint8)
SIZES[:24] = 1
SIZES[[24, 25, 26, 27]] = 2, 3, 5, 9
FLOATS = {0xF9: ">f2", 0xFA: ">f4", 0xFB: ">f8"}
SIZES[list(FLOATS)] = 3, 5, 9
INTEGERS = {24: ">u1", 25: ">u2", 26: ">u4", 27: ">u8"}
# Bytes decoded at once; 64 KiB of indices fit into the cache.
WINDOW = 2**13


class CborError(ValueError):
    """The bytes are not in the subset."""


def read_cbor(content):
    """Return the single item in some bytes.

    Parameters
    ----------
    content : bytes
        The bytes.

    Returns
    -------
    object
        int, float, str, list, dict, or ndarray of numbers: int64 if all are integers, else float64.
        An empty array is a list.

    Raises
    ------
    CborError
        If the bytes are not one item in the subset.
    """
    reader = _Reader(content)
    item = reader.read_item(MAX_DEPTH)
    if reader.at != len(content):
        raise CborError(f"{len(content) - reader.at} bytes after the end")
    return item


class _Reader:
    """Bytes and the position of the next item."""

    def __init__(self, content):
        self.content = content
        self.bytes = np.frombuffer(content, dtype=np.uint8)
        self.at = 0

    def read_item(self, depth):
        if depth == 0:
            raise CborError(f"more than {MAX_DEPTH} nested items")
        if self.at >= len(self.content):
            raise CborError("an end within an item")
        if SIZES[self.content[self.at]]:
            return self._read_numbers(1)[0].item()
        kind, length = self._read_head()
        if kind == TEXT:
            return self._read_text(length)
        if kind == ARRAY:
            self._check_length(length)
            if length and self.at < len(self.content) and SIZES[self.content[self.at]]:
                return self._read_numbers(length)
            return [self.read_item(depth - 1) for _ in range(length)]
        if length > MAX_KEYS:
            raise CborError(f"a map of {length} entries")
        items = {}
        for _ in range(length):
            key = self.read_item(depth - 1)
            if not isinstance(key, str) or key in items:
                raise CborError(f"the key {str(key)[:MAX_TEXT]!r}, which is repeated or no text")
            items[key] = self.read_item(depth - 1)
        return items

    def _read_head(self):
        kind, short = divmod(self.content[self.at], 32)
        if kind not in (TEXT, ARRAY, MAP) or not SIZES[short]:
            raise CborError(f"the byte {self.content[self.at]:#04x} at {self.at}")
        size = int(SIZES[short])
        self._check_length(size)
        digits = self.content[self.at + 1 : self.at + size]
        self.at += size
        return kind, int.from_bytes(digits, "big") if digits else short

    def _check_length(self, length):
        # Each item takes at least one byte.
        if length > len(self.content) - self.at:
            raise CborError(f"{length} items or bytes at {self.at}, beyond the end")

    def _read_text(self, length):
        self._check_length(length)
        if length > MAX_TEXT:
            raise CborError(f"a text of {length} bytes")
        self.at += length
        try:
            return self.content[self.at - length : self.at].decode()
        except UnicodeDecodeError:
            raise CborError(f"a text that is not UTF-8 at {self.at - length}") from None

    def _read_numbers(self, n):
        blocks = []
        while n:
            block = self._read_window(n)
            blocks.append(block)
            n -= len(block)
        return np.concatenate(blocks)

    def _read_window(self, n):
        # Numbers have different lengths. `jump` leads from each byte to the first byte after a
        # number that would begin there. Applied to itself, it skips 1, 2, 4, ... numbers; so the
        # starts of all numbers are found in a few steps of numpy.
        window = self.bytes[self.at : self.at + min(WINDOW, 9 * n)]
        sizes = SIZES[window]
        jump = np.minimum(np.arange(len(window)) + sizes, len(window))
        jump = np.append(jump, len(window))
        starts = np.zeros(1, dtype=np.intp)
        while len(starts) < n and starts[-1] < len(window) and sizes[starts[-1]]:
            starts = np.append(starts, jump[starts])
            jump = jump[jump]
        starts = starts[:n]
        starts = starts[starts < len(window)]
        if not sizes[starts].all():
            at = self.at + int(starts[sizes[starts] == 0][0])
            raise CborError(f"the byte {self.content[at]:#04x} at {at}, which begins no number")
        starts = starts[starts + sizes[starts] <= len(window)]
        if not len(starts):
            raise CborError("an end within a number")
        self.at += int(starts[-1]) + int(sizes[starts[-1]])
        return _decode(window, starts)


def _decode(window, starts):
    firsts = window[starts]
    is_float = firsts >= 0xF9
    values = firsts.astype(np.float64 if is_float.any() else np.int64)
    for first, dtype in (INTEGERS | FLOATS).items():
        at = np.flatnonzero(firsts == first)
        if not len(at):
            continue
        size = np.dtype(dtype).itemsize
        columns = starts[at][:, None] + np.arange(1, size + 1)
        numbers = window[columns].reshape(-1).view(dtype)
        if dtype == ">u8" and numbers.max() >= 2**63:
            raise CborError(f"the integer {numbers.max()}")
        values[at] = numbers
    return values
