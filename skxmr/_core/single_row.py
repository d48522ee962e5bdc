"""A single row as the arrays that kernels read, without the validation of scikit-learn.

scikit-learn validates a row in 200 microseconds, and a data frame in 2 milliseconds. The search of
a row takes 50 microseconds. Valid rows of the usual formats are therefore checked here. All other
rows, and all errors, are left to the validation of scikit-learn.
"""

import numpy as np
import scipy.sparse as sp

from skxmr._core.csr import copy_row, row_is_canonical
from skxmr._core.mixed_matrix import MixedMatrix


def read_single_row(X, n_columns, feature_names, length):
    """Return a single row as (indices, data), or None if scikit-learn must validate it.

    Parameters
    ----------
    X : object
        Rows of the user, in any format; never modified.
    n_columns : int
        Number of columns that X must have.
    feature_names : ndarray of shape (n_columns,) or None
        Names that the columns of X must have; None if they must not have names.
    length : float
        Number by which the values are divided.

    Returns
    -------
    tuple of ndarray, or None
        Sorted indices, int32, and nonzero values, float32: the arrays that `as_rows` returns. Views
        of `X` if it is a canonical CSR matrix with these dtypes and the length is 1.
    """
    if getattr(X, "shape", None) != (1, n_columns):
        return None
    if isinstance(X, (sp.csr_matrix, sp.csr_array)) and feature_names is None:
        if len(X.indptr) != 2 or X.indptr[0] != 0:
            return None
        indices, values = X.indices, X.data
        n_entries = X.indptr[1]
        if n_entries != len(values):  # scipy allows unused space at the end
            indices, values = indices[:n_entries], values[:n_entries]
            if len(values) != n_entries:
                return None
        if (
            length == 1.0
            and values.dtype == np.float32
            and indices.dtype == np.int32
            and values.flags.c_contiguous
            and indices.flags.c_contiguous
            and row_is_canonical(indices, values, n_columns)
        ):
            return indices, values
        return _copy_row(indices, values, n_columns, length)
    if sp.issparse(X) and feature_names is None:
        entries = _read_entries(X)
    elif type(X) is MixedMatrix and feature_names is None:
        entries = _read_mixed(X)
    elif type(X) in (np.ndarray, np.memmap) and feature_names is None:
        entries = _read_dense(X[0])
    elif type(X).__module__.partition(".")[0] == "pandas":
        entries = _read_frame(X, feature_names)
    else:
        return None
    return None if entries is None else _copy_row(*entries, n_columns, length)


def _copy_row(indices, values, n_columns, length):
    if indices.dtype not in (np.int32, np.int64):
        return None
    if values.dtype not in (np.float32, np.float64):
        if values.dtype.kind not in "biuf":
            return None
        values = values.astype(np.float64)
    indices, values = np.ascontiguousarray(indices), np.ascontiguousarray(values)
    return copy_row(indices, values, n_columns, length)


def _read_entries(X):
    # (indices, values) of a sparse row in CSC or COO format.
    if X.format == "coo":
        return None if X.row.any() else (X.col, X.data)
    if X.format != "csc":
        return None
    n_entries = len(X.data)
    if X.indptr[-1] != n_entries or len(X.indices) != n_entries or X.indices.any():
        return None
    if X.indptr[0] != 0 or np.any(X.indptr[1:] < X.indptr[:-1]):
        return None
    # The column of entry i is the last one that starts at i or before. X has many more columns
    # than entries, so a binary search per entry is faster than a pass over all columns.
    positions = np.arange(n_entries, dtype=X.indptr.dtype)
    return np.searchsorted(X.indptr, positions, side="right") - 1, X.data


def _read_mixed(X):
    sparse, (indices, values) = X.sparse, _read_dense(X.dense[0])
    n_entries = len(sparse.data)
    if len(sparse.indices) != n_entries or list(sparse.indptr) != [0, n_entries]:
        return None
    if n_entries and sparse.indices.max() >= sparse.shape[1]:
        return None
    return (
        np.concatenate([sparse.indices, sparse.shape[1] + indices]),
        np.concatenate([sparse.data, values]),
    )


def _read_dense(values):
    indices = np.flatnonzero(values)
    return indices, values[indices]


def _read_frame(X, feature_names):
    # A frame with equal names, or without names, whose dtypes are all of numpy.
    if feature_names is None:
        if X.columns.dtype.kind not in "iu":
            return None
    elif not np.array_equal(X.columns.to_numpy(), feature_names):
        return None
    values = X.to_numpy()
    if values.dtype.kind not in "biuf":
        return None
    # Only frames of a single numpy dtype are converted without a copy. The dtypes of other frames
    # are checked, which takes 20 microseconds.
    if np.may_share_memory(values, X.to_numpy()):
        return _read_dense(values[0])
    if all(isinstance(dtype, np.dtype) for dtype in set(X.dtypes.to_numpy())):
        return _read_dense(values[0])
    return None
