"""Small helpers on arrays."""

import numpy as np
import scipy.sparse as sp


def offsets_of(lengths):
    """Return 0 and the running sums of lengths, int64: where each of them starts, and the end."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def csr_of(indptr, indices, data, shape, container=sp.csr_array):
    """Return arrays as a CSR matrix that shares them.

    Beside 64-bit row bounds scipy would keep a copy of the indices in 64 bits: the bounds, which
    are few, are narrowed where they fit.
    """
    if len(indices) <= np.iinfo(np.int32).max:
        indptr = np.asarray(indptr, dtype=np.int32)
    return container((data, indices, indptr), shape=shape)
