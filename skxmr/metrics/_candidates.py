"""Checks of targets and scores, and the blocks of candidates that the ranking works on.

Scores come in three forms: a sparse matrix, a dense array, a tuple (label ids, scores). Each is
turned, a block of rows at a time, into the same thing: the (label, score) candidates of every
row, laid out as in CSR. So the memory needed beside the input does not grow with it.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

# Candidates handled at once. Chosen by experiment: 20,000 rows of 1000 stored scores, k 5, take
# 0.2 s for any block from 2**15 to 2**20 and 0.5 s at 2**22; at 2**17 the peak is 6 MB.
_BLOCK = 2**17


class Indicator(NamedTuple):
    """True labels as CSR: labels sorted and distinct in a row, every stored entry a one."""

    indptr: np.ndarray
    labels: np.ndarray
    n_labels: int


def check_indicator(y, name):
    """Return a sparse or dense 0/1 indicator as `Indicator`; `y` itself is not changed."""
    if isinstance(y, Indicator):
        return y
    if sp.issparse(y):
        y = y if y.format in ("csr", "csc", "coo") else y.tocoo()
        values, shape = y.data, y.shape
    else:
        y = values = np.asarray(y)
        shape = y.shape
    if len(shape) != 2 or 0 in shape:
        raise ValueError(
            f"{name} must be an indicator of shape (n_samples, n_labels), neither of them 0, "
            f"got shape {shape}"
        )
    _check_real(values, name)
    wrong = (values != 0) & (values != 1)
    if wrong.any():
        raise ValueError(f"{name} must hold 0 and 1 only, got {values[wrong][0]}")
    if not sp.issparse(y):
        row, labels = np.nonzero(y)
        indptr = np.searchsorted(row, np.arange(shape[0] + 1))
        return Indicator(indptr, labels, shape[1])
    if y.format == "csr" and values.all():
        # A shell of our own, for scipy caches what it finds out about order on the object.
        shell = sp.csr_array((values, y.indices, y.indptr), shape=shape)
        if shell.has_canonical_format:
            return Indicator(shell.indptr, shell.indices, shape[1])
    coo = y.tocoo()
    kept = coo.data != 0
    coords = (coo.row[kept], coo.col[kept])
    # Ones, not the values: only the pattern of the result is used, where duplicates are merged.
    csr = sp.csr_array((np.ones(len(coords[0]), dtype=np.int8), coords), shape=shape)
    csr.sum_duplicates()
    return Indicator(csr.indptr, csr.indices, shape[1])


def _check_real(array, name):
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")


def check_scores(y_score, shape, k):
    """Check scores of any form and return an iterator over blocks of their candidates.

    A block is (first row, indptr, labels, scores); together they cover all rows in order.
    """
    if isinstance(y_score, tuple):
        return _pair_blocks(*_check_pair(y_score, shape, k))
    sparse = sp.issparse(y_score)
    if not sparse:
        y_score = np.asarray(y_score)
    if y_score.shape != shape:
        raise ValueError(
            f"y_score must have the shape {shape} of y_true (or be a tuple of label ids and "
            f"scores), got shape {y_score.shape}"
        )
    if sparse:
        y_score = y_score.tocsr()
    values = y_score.data if sparse else y_score
    _check_real(values, "y_score")
    lowest = values.min(initial=1)  # one pass, no temporary array; NaN wins over all numbers
    if np.isnan(lowest):
        raise ValueError("y_score must not hold NaN")
    if sparse and lowest < 0:
        raise ValueError(
            f"y_score must not be negative where it is sparse, got {lowest}: labels without a "
            "stored score would rank above; give such scores as a dense array or as a tuple of "
            "label ids and scores"
        )
    return _sparse_blocks(y_score) if sparse else _dense_blocks(y_score)


def _check_pair(pair, shape, k):
    if len(pair) != 2:
        raise ValueError(
            f"y_score must hold label ids and scores if a tuple, got {len(pair)} items"
        )
    indices, scores = np.asarray(pair[0]), np.asarray(pair[1])
    if indices.shape != scores.shape or indices.ndim != 2 or len(indices) != shape[0]:
        raise ValueError(
            f"y_score must be two arrays of shape ({shape[0]}, n_columns) if a tuple, got shapes "
            f"{indices.shape} and {scores.shape}"
        )
    if indices.dtype.kind not in "iu":
        raise TypeError(f"y_score[0] must hold label ids (integers), got dtype {indices.dtype}")
    _check_real(scores, "y_score[1]")
    n_columns = indices.shape[1]
    if n_columns < min(k, shape[1]):
        raise ValueError(f"k must be at most {n_columns}, the columns of y_score, got {k}")
    for bound in (indices.min(initial=0), indices.max(initial=0)):
        if not -1 <= bound < shape[1]:
            raise ValueError(
                f"y_score[0] must hold label ids from 0 to {shape[1] - 1}, or -1, got {bound}"
            )
    if np.isnan(scores.min(initial=1)):
        raise ValueError("y_score[1] must not hold NaN")
    for rows in _row_slices(*indices.shape):
        ids = np.sort(indices[rows], axis=1)
        twice = (ids[:, 1:] == ids[:, :-1]) & (ids[:, 1:] >= 0)
        if twice.any():
            raise ValueError(
                "y_score[0] must name a label once in a row at most, got "
                f"{ids[:, 1:][twice][0]} twice in row {rows.start + np.nonzero(twice)[0][0]}"
            )
    return indices, scores


def _row_slices(n_rows, n_columns):
    step = max(1, _BLOCK // max(1, n_columns))
    return (slice(i, min(i + step, n_rows)) for i in range(0, n_rows, step))


def csr_row_slices(indptr):
    """Slices of rows with at most `_BLOCK` stored entries, or of a single longer row."""
    start, n_rows = 0, len(indptr) - 1
    while start < n_rows:
        stop = int(np.searchsorted(indptr, int(indptr[start]) + _BLOCK, side="right")) - 1
        stop = max(start + 1, stop)
        yield slice(start, stop)
        start = stop


def _as_float(scores):
    """Return float32 and float64 as they are, anything else as float64."""
    return scores if scores.dtype in (np.float32, np.float64) else scores.astype(np.float64)


def _sparse_blocks(y_score):
    for rows in csr_row_slices(y_score.indptr):
        indptr = y_score.indptr[rows.start : rows.stop + 1]
        stored = slice(indptr[0], indptr[-1])
        parts = (y_score.data[stored], y_score.indices[stored], indptr - indptr[0])
        block = sp.csr_array(parts, shape=(len(indptr) - 1, y_score.shape[1]))
        if not block.has_canonical_format:
            block = block.copy()  # it may share memory with the caller's matrix
            block.sum_duplicates()
        # A stored zero is as good as none, so that eliminate_zeros() never changes a metric.
        scores = np.where(block.data > 0, block.data, -np.inf)
        yield rows.start, block.indptr, block.indices, scores


def _dense_blocks(y_score):
    n_rows, n_labels = y_score.shape
    labels = None
    for rows in _row_slices(n_rows, n_labels):
        block = _as_float(y_score[rows])
        if labels is None:  # the first block is the largest
            labels = np.tile(np.arange(n_labels), len(block))
        indptr = np.arange(len(block) + 1) * n_labels
        yield rows.start, indptr, labels[: block.size], block.ravel()


def _pair_blocks(indices, scores):
    for rows in _row_slices(*indices.shape):
        ids, block = indices[rows], _as_float(scores[rows])
        named = ids >= 0
        indptr = np.concatenate(([0], np.cumsum(named.sum(axis=1))))
        yield rows.start, indptr, ids[named].astype(np.int64), block[named]


def contains(true, rows, row, labels):
    """Tell which `labels` are true in their `row`, counted from the start of the slice `rows`."""
    indptr = true.indptr[rows.start : rows.stop + 1]
    known = true.labels[indptr[0] : indptr[-1]]
    if not len(known):
        return np.zeros(labels.shape, dtype=bool)
    # Row and label in one number: the true ones are sorted already.
    of_known = np.repeat(np.arange(len(indptr) - 1, dtype=np.int64), np.diff(indptr))
    keys = of_known * true.n_labels + known
    wanted = row * np.int64(true.n_labels) + labels
    found = keys[np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)] == wanted
    return found & (labels >= 0)
