"""Checks of targets and scores, and the blocks of candidate labels that all metrics work on.

Scores are a sparse matrix, a dense array or a tuple (label ids, scores). Each form is converted,
one block of rows at a time, to the same structure: the candidates of each row, that is, pairs of
label and score, stored as in CSR. Temporary memory does not grow with the input.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import check_sparse_arrays
from skxmr._core.target_containers import (
    holds_names,
    read_sparse_frame,
    read_targets,
)
from skxmr._core.targets import check_indicator
from skxmr._core.user_warnings import warn_user

# Number of candidates per block. Measured with 20,000 rows of 1000 stored scores, k = 5: any value
# from 2**15 to 2**20 takes 0.2 s, 2**22 takes 0.5 s. At 2**17 the peak memory is 6 MB.
_CANDIDATES_PER_BLOCK = 2**17


class Indicator(NamedTuple):
    """True labels as CSR: the labels of a row are sorted and distinct, each stored entry is 1."""

    indptr: np.ndarray
    labels: np.ndarray
    n_labels: int

    @property
    def n_rows(self):
        """Number of rows."""
        return len(self.indptr) - 1


class CandidateBlock(NamedTuple):
    """The candidate labels of consecutive rows."""

    first_row: int
    indptr: np.ndarray  # starts at 0
    labels: np.ndarray
    scores: np.ndarray  # float32 or float64; -inf for labels that must not be ranked


def as_indicator(y, name):
    """Convert an indicator in any container to `Indicator`; `y` is not changed."""
    if isinstance(y, Indicator):
        return y
    if isinstance(y, tuple) and [np.ndim(array) for array in y] == [2, 2]:
        raise ValueError(
            f"{name} must be an indicator of shape (n_samples, n_labels); got a tuple of two "
            "arrays. Exchange y_true and y_score if they are in the wrong order."
        )
    y = read_targets(y, name)
    if holds_names(y):
        raise ValueError(
            f"{name} must be an indicator of 0 and 1 here; got a list of labels per row. Pass the "
            "result of suggest as y_score, or use topk_scorer."
        )
    if y.ndim != 2 or 0 in y.shape:
        raise ValueError(
            f"{name} must be a nonempty indicator of shape (n_samples, n_labels); got shape "
            f"{y.shape}."
        )
    Y = check_indicator(y, name)
    return Indicator(Y.indptr, Y.indices, Y.shape[1])


def _check_real(array, name):
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must contain real numbers; got dtype {array.dtype}.")


def check_scores(y_score, shape, k):
    """Check scores of any form and return an iterator of `CandidateBlock`.

    Together the blocks cover all rows in order.
    """
    if isinstance(y_score, tuple):
        return _split_pair(*_check_pair(y_score, shape, k))
    y_score = read_sparse_frame(y_score, "y_score")
    is_sparse = sp.issparse(y_score)
    if not is_sparse:
        y_score = np.asarray(y_score)
    if y_score.shape != shape:
        raise ValueError(
            f"y_score must have the shape of y_true, {shape}, or be a tuple (label ids, scores); "
            f"got shape {y_score.shape}. Pass the whole result of predict_topk, which is such a "
            "tuple, or the result of predict_proba."
        )
    if is_sparse:
        check_sparse_arrays(y_score)
        y_score = y_score.tocsr()
    _warn_about_predictions(y_score)
    values = y_score.data if is_sparse else y_score
    _check_real(values, "y_score")
    lowest = values.min(initial=1)  # one pass, no temporary array; NaN if any value is NaN
    if np.isnan(lowest):
        raise ValueError("y_score must contain no NaN; got NaN.")
    if is_sparse and lowest < 0:
        raise ValueError(
            f"y_score must be nonnegative if it is sparse; got {lowest}. Labels without a stored "
            "score would rank above it: pass a dense array or a tuple (label ids, scores)."
        )
    return _split_sparse(y_score) if is_sparse else _split_dense(y_score)


def _warn_about_predictions(y_score):
    values = y_score.data if sp.issparse(y_score) else y_score
    if values.dtype.kind in "bui":
        is_prediction = values.size and values.min() >= 0 and values.max() == 1
    else:
        # `predict` returns the dtype of `y`, which may be a float. In a dense array, 0 and 1 may be
        # probabilities, for example of a decision tree.
        is_prediction = sp.issparse(y_score) and values.size and values.min() == values.max() == 1
    if is_prediction:
        warn_user(
            "y_score contains only 0 and 1, as predictions do: the order of the predicted labels "
            "is unknown. Pass the result of predict_topk or predict_proba instead of predict.",
        )


def _check_pair(pair, shape, k):
    if len(pair) != 2:
        raise ValueError(
            "y_score must be a matrix or a tuple of two arrays (label ids, scores); got a tuple "
            f"of {len(pair)} items."
        )
    indices, scores = np.asarray(pair[0]), np.asarray(pair[1])
    if indices.shape != scores.shape or indices.ndim != 2 or len(indices) != shape[0]:
        raise ValueError(
            f"y_score must hold two arrays of shape ({shape[0]}, n_columns) if it is a tuple; got "
            f"shapes {indices.shape} and {scores.shape}."
        )
    if indices.dtype.kind not in "iu":
        raise TypeError(f"y_score[0] must contain integer label ids; got dtype {indices.dtype}.")
    _check_real(scores, "y_score[1]")
    n_columns = indices.shape[1]
    if n_columns < min(k, shape[1]):
        raise ValueError(f"k must be at most {n_columns}, the columns of y_score; got {k}.")
    for bound in (indices.min(initial=0), indices.max(initial=0)):
        if not -1 <= bound < shape[1]:
            raise ValueError(
                f"y_score[0] must contain label ids from 0 to {shape[1] - 1}, or -1; got {bound}."
            )
    if np.isnan(scores.min(initial=1)):
        raise ValueError("y_score[1] must contain no NaN; got NaN.")
    for row_slice in _slice_dense_rows(*indices.shape):
        ids = np.sort(indices[row_slice], axis=1)
        is_repeated = (ids[:, 1:] == ids[:, :-1]) & (ids[:, 1:] >= 0)
        if is_repeated.any():
            raise ValueError(
                "y_score[0] must contain each label at most once per row; got "
                f"{ids[:, 1:][is_repeated][0]} twice in row "
                f"{row_slice.start + np.nonzero(is_repeated)[0][0]}."
            )
    return indices, scores


def _slice_dense_rows(n_rows, n_columns):
    step = max(1, _CANDIDATES_PER_BLOCK // max(1, n_columns))
    return (slice(i, min(i + step, n_rows)) for i in range(0, n_rows, step))


def slice_csr_rows(indptr):
    """Yield slices of rows with at most `_CANDIDATES_PER_BLOCK` entries, or of one longer row."""
    start, n_rows = 0, len(indptr) - 1
    while start < n_rows:
        limit = int(indptr[start]) + _CANDIDATES_PER_BLOCK
        stop = max(start + 1, int(np.searchsorted(indptr, limit, side="right")) - 1)
        yield slice(start, stop)
        start = stop


def _as_float(scores):
    """Convert all dtypes except for float32 and float64 to float64."""
    return scores if scores.dtype in (np.float32, np.float64) else scores.astype(np.float64)


def _split_sparse(y_score):
    for row_slice in slice_csr_rows(y_score.indptr):
        indptr = y_score.indptr[row_slice.start : row_slice.stop + 1]
        stored = slice(indptr[0], indptr[-1])
        arrays = (y_score.data[stored], y_score.indices[stored], indptr - indptr[0])
        block = sp.csr_array(arrays, shape=(len(indptr) - 1, y_score.shape[1]))
        if not block.has_canonical_format:
            block = block.copy()  # it may share memory with the caller's matrix
            block.sum_duplicates()
        # A stored zero is ignored, so that eliminate_zeros() never changes a metric.
        scores = np.where(block.data > 0, block.data, -np.inf)
        yield CandidateBlock(row_slice.start, block.indptr, block.indices, scores)


def _split_dense(y_score):
    n_rows, n_labels = y_score.shape
    labels = None
    for row_slice in _slice_dense_rows(n_rows, n_labels):
        scores = _as_float(y_score[row_slice])
        if labels is None:  # the first block is the largest
            labels = np.tile(np.arange(n_labels), len(scores))
        indptr = np.arange(len(scores) + 1) * n_labels
        yield CandidateBlock(row_slice.start, indptr, labels[: scores.size], scores.ravel())


def _split_pair(indices, scores):
    for row_slice in _slice_dense_rows(*indices.shape):
        block_ids, block_scores = indices[row_slice], _as_float(scores[row_slice])
        is_label = block_ids >= 0
        indptr = np.concatenate(([0], np.cumsum(is_label.sum(axis=1))))
        labels = block_ids[is_label].astype(np.int64)
        yield CandidateBlock(row_slice.start, indptr, labels, block_scores[is_label])


def mark_true_labels(true, row_slice, rows, labels):
    """Return a boolean array: whether each of `labels` is true in its row.

    `true` is an `Indicator`. `rows` are counted from the start of `row_slice` and broadcast with
    `labels`; label -1 is never true.
    """
    indptr = true.indptr[row_slice.start : row_slice.stop + 1]
    true_labels = true.labels[indptr[0] : indptr[-1]]
    if not len(true_labels):
        return np.zeros(labels.shape, dtype=bool)
    # Row and label are combined into one key; the keys of the true labels are already sorted.
    true_rows = np.repeat(np.arange(len(indptr) - 1, dtype=np.int64), np.diff(indptr))
    true_keys = true_rows * true.n_labels + true_labels
    keys = rows * np.int64(true.n_labels) + labels
    position = np.minimum(np.searchsorted(true_keys, keys), len(true_keys) - 1)
    return (true_keys[position] == keys) & (labels >= 0)
