"""Rows of a matrix as the arrays that kernels read."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import as_public_csr, csr_of, entries_of_rows
from skxmr._core.csr import (
    MAX_VALUE,
    add_dense_squares,
    add_squares,
    compress_rows,
    divide_rows,
    divide_values,
    rows_are_canonical,
)
from skxmr._core.mixed_matrix import MixedMatrix
from skxmr._core.validation import check_n_features

# Numbers of a dense matrix that are converted at a time, so that a conversion needs little memory.
BLOCK_NUMBERS = 2**20
# Name of the divided rows in error messages.
QUOTIENTS_NAME = "X divided by the mean length of the training rows"


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
    n_dense : int
        Number of columns at the end in which most rows have no zeros; 0 if unknown. Rows without
        zeros in them are scored together. The results do not depend on it.
    """

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    n_features: int
    n_dense: int = 0

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
            self.n_dense,
        )

    def take(self, rows):
        """Return the rows with the given numbers; copies them."""
        indptr, entries = entries_of_rows(self.indptr, rows)
        return self._replace(indptr=indptr, indices=self.indices[entries], data=self.data[entries])

    @property
    def numbers_per_row(self):
        """Numbers per row that a block copies."""
        return 0

    def to_rows(self):
        """Return these rows; see `MixedRows`."""
        return self

    def to_training_rows(self):
        """Return these rows as `TrainingRows` without a dense part."""
        no_columns = np.empty((self.n_rows, 0), dtype=np.float32)
        return TrainingRows(*self[:3], no_columns, self.n_features)

    def measure(self, stop=None):
        """Return the Euclidean length of each row before `stop`, float64."""
        stop = self.n_rows if stop is None else min(stop, self.n_rows)
        squares = np.zeros(stop, dtype=np.float64)
        add_squares(self.indptr[: stop + 1], self.data, squares)
        return np.sqrt(squares)

    @classmethod
    def of_row(cls, x, n_features):
        """Return a single row, given as a `SparseRow`."""
        indptr = np.array([0, len(x.indices)], dtype=np.int64)
        return cls(indptr, x.indices, x.data, n_features)

    def to_csr(self):
        """Return a scipy CSR matrix, in the container that scikit-learn is configured to use."""
        shape = (self.n_rows, self.n_features)
        return as_public_csr(self.indptr, self.indices, self.data, shape)


class MixedRows(NamedTuple):
    """Rows with a sparse and a dense part. The dense part is not copied until it is read.

    The columns of the dense part come after those of the sparse part, which has none if X is dense.

    Attributes
    ----------
    sparse : Rows
        Sparse part.
    dense : ndarray of shape (n_rows, n_dense)
        Finite numbers of any real dtype, in any order of memory; never modified.
    length : float
        Number by which all values of `dense` are divided; see `row_length`.
    """

    sparse: Rows
    dense: np.ndarray
    length: float = 1.0

    @classmethod
    def of_dense(cls, X):
        """Return the rows of a dense matrix."""
        return cls(_make_empty_rows(len(X)), X)

    @property
    def n_rows(self):
        """Number of rows."""
        return self.dense.shape[0]

    @property
    def n_features(self):
        """Number of columns."""
        return self.sparse.n_features + self.dense.shape[1]

    @property
    def numbers_per_row(self):
        """Numbers per row that a block copies, without those of the sparse part."""
        return self.dense.shape[1]

    def block(self, start, stop):
        """Return the rows from `start` to before `stop` as `Rows`, equal to those of `as_rows`."""
        return self._compress(self.sparse.block(start, stop), self.dense[start:stop])

    def to_rows(self):
        """Return all rows as `Rows`."""
        return self._compress(self.sparse, self.dense)

    def to_training_rows(self):
        """Return all rows as `TrainingRows`; uses C-contiguous float32 of length 1 in place."""
        dense = self.dense
        if not self._is_usable or not dense.flags.c_contiguous:
            dense = np.empty(dense.shape, dtype=np.float32)
            start = 0
            for block in _iterate_blocks(self.dense):
                divide_rows(block, self.length, dense[start : start + len(block)])
                start += len(block)
            self._check_quotients(dense)
        # Without the subclass `memmap`, whose slices are slow.
        return TrainingRows(*self.sparse[:3], np.asarray(dense), self.n_features)

    def measure(self, stop=None):
        """Return the length of each row before `stop`, float64, before the division."""
        stop = self.n_rows if stop is None else min(stop, self.n_rows)
        squares = np.zeros(stop, dtype=np.float64)
        add_squares(self.sparse.indptr[: stop + 1], self.sparse.data, squares)
        start = 0
        for block in _iterate_blocks(self.dense[:stop]):
            add_dense_squares(block, squares[start : start + len(block)])
            start += len(block)
        return np.sqrt(squares)

    @property
    def _is_usable(self):
        return self.dense.dtype == np.float32 and self.dense.dtype.isnative and self.length == 1.0

    def _check_quotients(self, values):
        if self.length < 1.0:
            check_values(values, QUOTIENTS_NAME)

    def _compress(self, sparse, dense):
        n_entries = sum(np.count_nonzero(block) for block in _iterate_blocks(dense))
        is_full = n_entries == dense.size and not len(sparse.indices)
        if is_full and not sparse.n_features and self._is_usable and dense.flags.c_contiguous:
            # The values are used in place.
            columns = np.arange(self.n_features, dtype=np.int32)
            indptr = np.arange(len(dense) + 1, dtype=np.int64) * self.n_features
            data = np.asarray(dense).reshape(-1)
            indices = np.tile(columns, len(dense))
            return Rows(indptr, indices, data, self.n_features, self.n_features)
        indptr = np.zeros(len(dense) + 1, dtype=np.int64)
        indices = np.empty(n_entries + len(sparse.indices), dtype=np.int32)
        data = np.empty(len(indices), dtype=np.float32)
        start = 0
        for block in _iterate_blocks(dense):
            stop = start + len(block)
            part = sparse.block(start, stop)
            compress_rows(*part[:4], block, self.length, indptr[start : stop + 1], indices, data)
            start = stop
        size = indptr[-1]
        rows = Rows(indptr, indices[:size], data[:size], self.n_features, dense.shape[1])
        self._check_quotients(rows.data)
        return rows


class TrainingRows(NamedTuple):
    """Rows with a sparse and a dense part, as the arrays that training reads.

    Attributes
    ----------
    indptr, indices, data : ndarray
        Sparse part, as in `Rows`.
    dense : ndarray of shape (n_rows, n_dense), C-contiguous, float32
        Dense part; may contain zeros. Its columns come after those of the sparse part.
    n_features : int
        Number of columns of both parts.
    """

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    dense: np.ndarray
    n_features: int

    @property
    def n_rows(self):
        """Number of rows."""
        return len(self.indptr) - 1

    @property
    def numbers_per_row(self):
        """Numbers per row that a block copies, without those of the sparse part."""
        return self.dense.shape[1]

    @property
    def row_sizes(self):
        """Number of stored values of each row; the dense part may contain zeros."""
        return np.diff(self.indptr) + self.dense.shape[1]

    def take(self, rows):
        """Return the rows with the given numbers; copies them."""
        indptr, entries = entries_of_rows(self.indptr, rows)
        return TrainingRows(
            indptr, self.indices[entries], self.data[entries], self.dense[rows], self.n_features
        )

    def to_mixed_rows(self):
        """Return these rows as `MixedRows`."""
        n_sparse = self.n_features - self.dense.shape[1]
        return MixedRows(Rows(self.indptr, self.indices, self.data, n_sparse), self.dense)

    def block(self, start, stop):
        """Return the rows from `start` to before `stop` as `Rows`."""
        return self.to_mixed_rows().block(start, stop)

    def to_rows(self):
        """Return all rows as `Rows`."""
        return self.to_mixed_rows().to_rows()

    def to_csr(self):
        """Return a scipy CSR matrix, in the container that scikit-learn is configured to use."""
        return self.to_rows().to_csr()


def as_rows(X, name="X", length=1.0):
    """Return a sparse or dense matrix as `Rows`.

    Stored zeros are dropped, so that results do not depend on how `X` was stored.

    Parameters
    ----------
    X : sparse matrix or ndarray of shape (n_rows, n_columns)
        Numbers; never modified.
    name : str
        Name of the matrix in error messages.
    length : float
        Number by which all values are divided; see `row_length`.

    Returns
    -------
    Rows
        Views of `X` if it is a canonical CSR matrix with these dtypes and the length is 1, else
        copies.

    Raises
    ------
    ValueError
        If a value is not finite or too large, or an index is out of range.
    """
    return in_float32(canonical_rows(X, name), length).to_rows()


def canonical_rows(X, name="X"):
    """Return a sparse matrix as `Rows`, and another one as `MixedRows`, with the values of `X`.

    The values of `Rows` are float32 or float64, and stored zeros are kept.
    """
    check_n_features(X, name)
    if isinstance(X, MixedMatrix):
        check_values(X.dense, name)
        return MixedRows(canonical_rows(X.sparse, name), X.dense)
    if not sp.issparse(X):
        check_values(X, name)
        return MixedRows.of_dense(X)
    C = X
    if C.format != "csr":
        C = C.tocsr()
    if C.dtype not in (np.float32, np.float64):
        C = C.astype(np.float64)
    rows = _contiguous(C)
    is_complete = rows.n_rows == X.shape[0]
    if not is_complete or not rows_are_canonical(rows.indptr, rows.indices, rows.data, X.shape[1]):
        # Sort the indices and sum duplicates in the precision of X, then check again.
        # A copy, because check_format may change the arrays of its object.
        C = sp.csr_array(C, copy=True)
        C.check_format(full_check=True)
        C.sum_duplicates()
        rows = _contiguous(C)
        check_values(rows.data, name)
    return rows


def check_values(values, name):
    """Raise a ValueError if a value is not finite, or is too large for sums in float32."""
    # The comparison with NaN is false.
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if -MAX_VALUE <= low and high <= MAX_VALUE:
        return
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must contain only finite values; got an infinite value or NaN.")
    raise ValueError(
        f"{name} must contain only values from {-MAX_VALUE:g} to {MAX_VALUE:g}; got values from "
        f"{low:g} to {high:g}. Scale the rows."
    )


def in_float32(rows, length=1.0):
    """Return `canonical_rows` divided by a number, in float32, without stored zeros."""
    if isinstance(rows, MixedRows):
        return MixedRows(in_float32(rows.sparse, length), rows.dense, length)
    if length != 1.0 or rows.data.dtype != np.float32:
        rows = rows._replace(data=divide_values(rows.data, length))
    if length < 1.0:
        check_values(rows.data, QUOTIENTS_NAME)
    if np.count_nonzero(rows.data) < len(rows.data):
        C = csr_of(rows.indptr, rows.indices, rows.data, (rows.n_rows, rows.n_features)).copy()
        C.eliminate_zeros()
        rows = _contiguous(C)
    return rows


def _make_empty_rows(n_rows):
    return Rows(
        np.zeros(n_rows + 1, dtype=np.int64), np.empty(0, np.int32), np.empty(0, np.float32), 0
    )


def _contiguous(C):
    indices = C.indices
    if indices.dtype.itemsize > 4 and len(indices) and indices.max() > np.iinfo(np.int32).max:
        raise ValueError("indices of a sparse matrix must be less than its number of columns.")
    return Rows(
        np.ascontiguousarray(C.indptr, dtype=np.int64),
        np.ascontiguousarray(indices, dtype=np.int32),
        np.ascontiguousarray(C.data),
        C.shape[1],
    )


def _iterate_blocks(values):
    # Yield blocks of rows of a dense matrix, in float32 or float64; views if possible.
    step = max(1, BLOCK_NUMBERS // max(1, values.shape[1]))
    for start in range(0, len(values), step):
        block = values[start : start + step]
        is_kernel_dtype = block.dtype in (np.float32, np.float64) and block.dtype.isnative
        yield block if is_kernel_dtype else block.astype(np.float64)
