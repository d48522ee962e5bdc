"""Small functions on arrays and sparse matrices."""

import math
import mmap

import numpy as np
import scipy.sparse as sp
from sklearn import get_config

# Smaller arrays of `concatenate_in_pages` are allocated as usual.
MIN_PAGE_BYTES = 2**16
PLAIN_DTYPES = "biufcSUmM"  # kinds of dtypes that np.save stores without pickle


def offsets_of(lengths):
    """Return the start of each of several neighboring runs, and the end of the last, as int64."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def entries_of_rows(indptr, rows):
    """Return (indptr, positions) of the entries of some rows of a CSR matrix, in this order."""
    counts = np.diff(indptr)[rows]
    taken = offsets_of(counts)
    return taken, np.repeat(indptr[rows] - taken[:-1], counts) + np.arange(taken[-1])


def concatenate_in_pages(arrays):
    """Concatenate arrays along the first axis, in memory that the system gets back.

    The C library keeps the memory of deleted arrays of up to 32 MB for later. With many arrays of a
    few MB, which are joined to large arrays in the end, it would keep half of the memory of a fit.

    Parameters
    ----------
    arrays : sequence of ndarray
        At least one array; the dtypes and all dimensions but the first are equal.

    Returns
    -------
    ndarray
        Its memory is returned to the system when it is deleted.
    """
    shape = (sum(len(array) for array in arrays), *arrays[0].shape[1:])
    dtype = arrays[0].dtype
    size = math.prod(shape) * dtype.itemsize
    if size < MIN_PAGE_BYTES:
        return np.concatenate(arrays)
    pages = np.frombuffer(mmap.mmap(-1, size), dtype=dtype).reshape(shape)
    return np.concatenate(arrays, out=pages)


def concatenate_and_release(arrays):
    """Concatenate arrays, and delete each as soon as it is copied.

    The result uses as much memory as the copied part. With arrays of `concatenate_in_pages`, it
    takes no more memory than the arrays alone.

    Parameters
    ----------
    arrays : list of ndarray
        At least one array, as for `concatenate_in_pages`; empty on return.

    Returns
    -------
    ndarray
    """
    n_rows = sum(len(array) for array in arrays)
    joined = np.empty((n_rows, *arrays[0].shape[1:]), dtype=np.result_type(*arrays))
    arrays.reverse()
    start = 0
    while arrays:
        array = arrays.pop()
        joined[start : start + len(array)] = array
        start += len(array)
        del array
    return joined


def csr_of(indptr, indices, data, shape, container=sp.csr_array):
    """Return a CSR matrix that shares its arrays with the arguments.

    An int64 `indptr` is converted to int32 if its values fit. Otherwise scipy would copy `indices`
    to int64, which takes more memory.
    """
    if len(indices) <= np.iinfo(np.int32).max:
        indptr = np.asarray(indptr, dtype=np.int32)
    return container((data, indices, indptr), shape=shape)


def as_public_csr(indptr, indices, data, shape):
    """Return a CSR matrix in the container that scikit-learn is configured to return."""
    wanted = get_config().get("sparse_interface", "spmatrix")
    container = sp.csr_array if wanted == "sparray" else sp.csr_matrix
    return csr_of(indptr, indices, data, shape, container)


def check_sparse_arrays(M):
    """Raise a ValueError if the arrays of a CSR, CSC or COO matrix are invalid.

    Conversions of scipy do not check them, and read or write out of bounds.
    """
    if not sp.issparse(M):
        return
    if M.format in ("csr", "csc"):
        # A new object, because check_format may change the arrays of its object.
        type(M)(M).check_format(full_check=True)
    elif M.format == "coo":
        for axis, (indices, size) in enumerate(zip(M.coords, M.shape, strict=True)):
            low, high = indices.min(initial=0), indices.max(initial=-1)
            if low < 0 or high >= size:
                raise ValueError(
                    f"The indices of axis {axis} of a COO matrix of shape {M.shape} must be from 0 "
                    f"to {size - 1}; got indices from {low} to {high}."
                )


def nonzero_pattern(M, format):
    """Return the pattern of the nonzero entries of a matrix, without modifying it.

    Parameters
    ----------
    M : sparse matrix or ndarray of shape (n_rows, n_columns)
        Matrix with any values. Its indices may be unsorted, duplicate or read-only.
    format : {"csr", "csc"}
        Format of the result.

    Returns
    -------
    csr_array or csc_array of shape (n_rows, n_columns), int8
        Ones, with sorted indices and without duplicates. Shares the indices of `M` if possible.
    """
    container = {"csr": sp.csr_array, "csc": sp.csc_array}[format]
    check_sparse_arrays(M)
    # A new object, which may share the arrays of M. scipy does not support all dtypes of numpy.
    pattern = container(M if sp.issparse(M) else M != 0)
    if not pattern.has_canonical_format or not np.all(pattern.data):
        coo = pattern.tocoo()
        is_nonzero = coo.data != 0
        coords = tuple(indices[is_nonzero] for indices in coo.coords)
        ones = np.ones(len(coords[0]), dtype=np.int8)
        pattern = container((ones, coords), shape=pattern.shape)
        pattern.sum_duplicates()
    ones = np.ones(len(pattern.indices), dtype=np.int8)
    return container((ones, pattern.indices, pattern.indptr), shape=pattern.shape)


def plain_value(value):
    """Return a numpy scalar as a Python object, for messages; other values unchanged."""
    return value.item() if isinstance(value, np.generic) else value
