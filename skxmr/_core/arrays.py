"""Small helpers on arrays."""

import numpy as np


def offsets_of(lengths):
    """Return 0 and the running sums of lengths, int64: where each of them starts, and the end."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
