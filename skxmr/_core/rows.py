"""Rows of a matrix as the arrays that kernels read."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import as_public_csr, csr_of
from skxmr._core.csr import MAX_VALUE, rows_are_canonical
from skxmr._core.validation import check_n_features


class Rows(NamedTuple):
    """Rows as a canonical CSR matrix: indices sorted and unique per row, no stored zeros.

    Attributes
    ----------
    indptr : ndarray of shape (n_rows + 1,), int64
        Start of each row in `indices` and `data`.
    indices : ndarray of int32
        Columns of the stored values.
    data : ndarray of float32
        Stored values.
    n_features : int
        Number of columns.
    """

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    n_features: int

    @property
    def n_rows(self):
        """Number of rows."""
        return len(self.indptr) - 1

    def block(self, start, stop):
        """Return the rows from `start` to before `stop`; shares memory with these."""
        first, last = self.indptr[start], self.indptr[stop]
        return Rows(
            self.indptr[start : stop + 1] - first,
            self.indices[first:last],
            self.data[first:last],
            self.n_features,
        )

    def to_csr(self):
        """Return a scipy CSR matrix, in the container that scikit-learn is configured to use."""
        shape = (self.n_rows, self.n_features)
        return as_public_csr(self.indptr, self.indices, self.data, shape)


def as_rows(X, name="X", drop_zeros=False):
    """Return a sparse or dense matrix as `Rows`.

    Parameters
    ----------
    X : sparse matrix or ndarray of shape (n_rows, n_columns)
        Floating point; never modified.
    name : str
        Name of the matrix in error messages.
    drop_zeros : bool
        Whether to drop stored zeros. Training drops them, so that the result does not depend on
        how `X` was stored. They do not change scores.

    Returns
    -------
    Rows
        Views of `X` if it is a canonical CSR matrix with these dtypes, else copies.

    Raises
    ------
    ValueError
        If a value is not finite in float32, or an index is out of range.
    """
    check_n_features(X, name)
    C = X if sp.issparse(X) else sp.csr_array(X)
    if C.format != "csr":
        C = C.tocsr()
    with np.errstate(over="ignore"):
        data = C.data.astype(np.float32, copy=False)
    rows = _contiguous(C, data)
    if not rows_are_canonical(rows.indptr, rows.indices, rows.data, X.shape[1]):
        # Sort the indices and sum duplicates in the precision of X, then check again.
        # A copy, because check_format may change the arrays of its object.
        C = sp.csr_array(C, copy=True)
        C.check_format(full_check=True)
        C.sum_duplicates()
        with np.errstate(over="ignore"):
            data = C.data.astype(np.float32)
        rows = _contiguous(C, data)
        if not rows_are_canonical(rows.indptr, rows.indices, rows.data, X.shape[1]):
            if not np.isfinite(rows.data).all():
                raise ValueError(
                    f"{name} must contain only values that are finite in float32; got an infinite "
                    "value or NaN."
                )
            raise ValueError(
                f"{name} must contain only values from {-MAX_VALUE:g} to {MAX_VALUE:g}; got values "
                f"from {rows.data.min():g} to {rows.data.max():g}. Scale the rows."
            )
    if drop_zeros and np.count_nonzero(rows.data) < len(rows.data):
        C = csr_of(rows.indptr, rows.indices, rows.data, X.shape).copy()
        C.eliminate_zeros()
        rows = _contiguous(C, C.data)
    return rows


def _contiguous(C, data):
    indices = C.indices
    if indices.dtype.itemsize > 4 and len(indices) and indices.max() > np.iinfo(np.int32).max:
        raise ValueError("indices of a sparse matrix must be less than its number of columns.")
    return Rows(
        np.ascontiguousarray(C.indptr, dtype=np.int64),
        np.ascontiguousarray(indices, dtype=np.int32),
        np.ascontiguousarray(data),
        C.shape[1],
    )
