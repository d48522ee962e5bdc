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


def merge_copies(matrix):
    """Sum the copies of entries, which stand side by side as scipy's conversions leave them.

    ``sum_duplicates`` would sort first, which takes longer than the rest.

    Parameters
    ----------
    matrix : csc_array
        Rows rise in each column, or stay.

    Returns
    -------
    csc_array
        The same one, if it has no copies. Integers are a pattern, and are not summed.
    """
    indptr, rows, data = matrix.indptr, matrix.indices, matrix.data
    first = np.ones(len(rows), dtype=bool)
    np.not_equal(rows[1:], rows[:-1], out=first[1:])
    first[indptr[:-1][np.diff(indptr) > 0]] = True
    if first.all():
        return matrix
    first = np.flatnonzero(first)
    if data.dtype.kind == "f":
        data = np.add.reduceat(data, first, dtype=data.dtype)
    bounds = np.searchsorted(first, indptr).astype(indptr.dtype)
    return sp.csc_array((data[: len(first)], rows[first], bounds), shape=matrix.shape)
