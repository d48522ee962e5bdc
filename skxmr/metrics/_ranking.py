"""Ranking of scored labels; precision, recall and nDCG at k.

`_candidates` converts scores of any form to blocks of (label, score) candidates. Then
`select_top_labels` selects the k best labels per row, and `mark_true_labels` looks them up among
the true labels. Each metric is computed from the resulting (n_samples, k) arrays.
"""

import numbers
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import plain_value
from skxmr.metrics._candidates import (
    CandidateBlock,
    Indicator,
    as_indicator,
    check_scores,
    mark_true_labels,
)
from skxmr.metrics._ignored_pairs import read_ignored, remove_ignored, skip_ignored
from skxmr.metrics._named_labels import replace_names
from skxmr.metrics._row_weights import check_sample_weight


class Ranking(NamedTuple):
    """Top labels of each row, best first, and whether each of them is true."""

    top_labels: np.ndarray  # (n_samples, min(k, n_labels)), -1 if a row has no more candidates
    is_hit: np.ndarray  # (n_samples, min(k, n_labels)), bool
    true: Indicator  # without ignored pairs
    n_true: np.ndarray  # (n_samples,), number of true labels per row
    row_weights: np.ndarray  # (n_samples,), float64; ones if there is no sample_weight

    def average(self, values):
        """Return the weighted mean of one value per row."""
        return float(np.sum(self.row_weights * values) / np.sum(self.row_weights))


class RankingArguments(NamedTuple):
    """Checked arguments of a ranking metric, without ignored pairs."""

    true: Indicator
    blocks: Iterator[CandidateBlock]
    row_weights: np.ndarray  # (n_samples,), float64
    classes: np.ndarray | None  # labels of the columns, if the arguments had names


def precision_at_k(y_true, y_score, k=5, *, ignore=None, sample_weight=None):
    """Compute the fraction of the top k labels that are true, averaged over all rows.

    Each row is divided by `k`, as in the scripts of the Extreme Classification Repository. A row
    with fewer than `k` true labels or fewer than `k` scored labels therefore cannot reach 1, and a
    row without true labels counts as 0.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the true labels, in any container that `XRLinearClassifier.fit` accepts: zeros
        and ones of any real dtype. Duplicate entries of a sparse matrix count once. Or the true
        labels of each row, if `y_score` is a result of ``suggest``.
    y_score : sparse matrix, array-like, (indices, scores) or list of list of (label, score)
        Scores of the labels, in one of four forms:

        - a sparse matrix (n_samples, n_labels), as ``predict_proba`` returns for sparse targets.
          Labels without a stored positive score are never ranked, so a row may have fewer than
          `k` predictions.
        - a dense array (n_samples, n_labels). All labels are ranked, except for scores of -inf.
        - a tuple of two arrays (n_samples, n_columns), as ``predict_topk`` returns: label ids and
          their scores, in any order. Id -1 or score -inf marks a place without a label.
        - a list of pairs (label, score) per row, as ``suggest`` returns. A row may have fewer than
          `k` pairs.

        Labels with equal scores are ranked by label id; in a tuple, in the order of its columns.
    k : int, default=5
        Number of labels to evaluate per row, at least 1. For a tuple, `k` must not exceed the
        number of columns, unless the columns hold all labels.
    ignore : sparse matrix or array-like of shape (n_samples, n_labels), default=None
        Indicator of the (row, label) pairs to leave out, or lists of labels if `y_score` is a
        result of ``suggest``. These pairs are removed from the true labels and from the
        predictions, and the next label of the row moves up. The LF data sets of the Extreme
        Classification Repository require this: their file ``filter_labels_test.txt`` lists pairs
        of a row and a label with the same text. In a tuple or a result of ``suggest``, a row may
        have fewer than `k` labels left; the missing places count as wrong. To avoid this, request
        `k` plus the largest number of ignored labels per row from ``predict_topk``.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights of the rows in the mean. If None, all rows have the same weight.

    Returns
    -------
    float
        Precision at k, in [0, 1].

    Raises
    ------
    TypeError
        If `k` is not an integer, or `y_score` does not contain real numbers.
    ValueError
        If shapes differ, `k` is less than 1 or greater than the number of columns of the tuple, or
        `y_true` contains a value other than 0 and 1. Also if a score is NaN, a sparse score is
        negative (labels without a score would rank above it), or the tuple contains a label twice
        in a row or an unknown label. Also if `ignore` is not an indicator of the shape of `y_true`,
        or `sample_weight` has a wrong length, a negative value or a sum of 0.

    Warns
    -----
    UserWarning
        If `y_score` looks like the result of ``predict``, which does not order the labels.

    See Also
    --------
    psprecision_at_k : Precision that gives more weight to rare labels.
    topk_scorer : Scorer for model selection.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from skxmr.metrics import precision_at_k
    >>> y_true = csr_array([[1, 0, 1, 0], [0, 1, 0, 0]])
    >>> y_score = csr_array([[0.9, 0.8, 0.7, 0.0], [0.0, 0.6, 0.0, 0.0]])
    >>> precision_at_k(y_true, y_score, k=1)
    1.0
    >>> precision_at_k(y_true, y_score, k=2)
    0.5
    >>> precision_at_k(y_true, y_score, k=2, ignore=csr_array([[0, 1, 0, 0], [0, 0, 0, 0]]))
    0.75
    >>> precision_at_k(y_true, y_score, k=2, sample_weight=[3, 1])
    0.5
    >>> precision_at_k([["red", "hot"], ["cold"]], [[("hot", 0.9)], [("red", 0.7)]], k=1)
    0.5
    """
    ranking = rank_labels(y_true, y_score, k, ignore=ignore, sample_weight=sample_weight)
    n_hits = np.sum(ranking.row_weights * ranking.is_hit.sum(axis=1))
    return float(n_hits / (np.sum(ranking.row_weights) * int(k)))


def recall_at_k(y_true, y_score, k=5, *, ignore=None, sample_weight=None):
    """Compute the fraction of the true labels among the top k, averaged over all rows.

    Each row is divided by the number of its true labels, even if `k` is smaller. A row without
    true labels counts as 0, as in scikit-learn.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the true labels: zeros and ones.
    y_score : sparse matrix, array-like or (indices, scores)
        Scores of the labels, in one of the forms that `precision_at_k` accepts.
    k : int, default=5
        Number of labels to evaluate per row. A larger `k` never lowers the recall.
    ignore : sparse matrix or array-like of shape (n_samples, n_labels), default=None
        Indicator of the (row, label) pairs to leave out; see `precision_at_k`.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights of the rows in the mean. If None, all rows have the same weight.

    Returns
    -------
    float
        Recall at k, in [0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, as in `precision_at_k`.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.metrics import recall_at_k
    >>> y_true = np.array([[1, 0, 1, 0], [0, 1, 0, 0]])
    >>> indices = np.array([[0, 1], [2, 1]])
    >>> scores = np.array([[0.9, 0.8], [0.6, 0.5]])
    >>> recall_at_k(y_true, (indices, scores), k=2)
    0.75
    """
    ranking = rank_labels(y_true, y_score, k, ignore=ignore, sample_weight=sample_weight)
    return ranking.average(ranking.is_hit.sum(axis=1) / np.maximum(ranking.n_true, 1))


def hits_at_k(y_true, y_score, k=5, *, ignore=None, sample_weight=None):
    """Compute the fraction of rows with at least one true label among the top k.

    A row without true labels counts as 0, as in `recall_at_k`. For one class per row, this is the
    top-k accuracy.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the true labels: zeros and ones.
    y_score : sparse matrix, array-like or (indices, scores)
        Scores of the labels, in one of the forms that `precision_at_k` accepts.
    k : int, default=5
        Number of labels to evaluate per row.
    ignore : sparse matrix or array-like of shape (n_samples, n_labels), default=None
        Indicator of the (row, label) pairs to leave out; see `precision_at_k`.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights of the rows in the mean. If None, all rows have the same weight.

    Returns
    -------
    float
        Fraction of rows with a hit, in [0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, as in `precision_at_k`.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.metrics import hits_at_k
    >>> y_true = np.array([[1, 0, 1, 0], [0, 1, 0, 0]])
    >>> indices = np.array([[0, 2], [3, 0]])
    >>> scores = np.array([[0.9, 0.8], [0.6, 0.5]])
    >>> hits_at_k(y_true, (indices, scores), k=2)
    0.5
    """
    ranking = rank_labels(y_true, y_score, k, ignore=ignore, sample_weight=sample_weight)
    return ranking.average(ranking.is_hit.any(axis=1))


def ndcg_at_k(y_true, y_score, k=5, *, ignore=None, sample_weight=None):
    """Compute the normalized discounted cumulative gain at k, averaged over all rows.

    A true label at rank r, counted from 1, gains 1 / log2(r + 1). The sum over the top k labels is
    divided by the gain of the best possible ranking of the row, which has min(k, number of true
    labels) labels [1]_. For dense scores without ties, this equals ``sklearn.metrics.ndcg_score``,
    including its rule that a row without true labels counts as 0.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the true labels: zeros and ones.
    y_score : sparse matrix, array-like or (indices, scores)
        Scores of the labels, in one of the forms that `precision_at_k` accepts.
    k : int, default=5
        Number of labels to evaluate per row.
    ignore : sparse matrix or array-like of shape (n_samples, n_labels), default=None
        Indicator of the (row, label) pairs to leave out; see `precision_at_k`.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights of the rows in the mean. If None, all rows have the same weight.

    Returns
    -------
    float
        NDCG at k, in [0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, as in `precision_at_k`.

    References
    ----------
    .. [1] K. Jarvelin, J. Kekalainen. Cumulated gain-based evaluation of IR techniques. ACM
       Transactions on Information Systems 20(4), 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.metrics import ndcg_at_k
    >>> y_true = np.array([[1, 0, 1, 0]])
    >>> round(ndcg_at_k(y_true, np.array([[0.9, 0.8, 0.7, 0.1]]), k=3), 4)
    0.9197
    """
    ranking = rank_labels(y_true, y_score, k, ignore=ignore, sample_weight=sample_weight)
    gains = ranking.is_hit @ rank_discounts(ranking.is_hit.shape[1])
    # Rounding can lift a perfect row slightly above 1.
    return ranking.average(np.minimum(gains / ideal_gains(ranking), 1))


def rank_discounts(n_ranks):
    """Return the gain of a true label at each of the first ranks."""
    return 1 / np.log2(np.arange(2, n_ranks + 2))


def ideal_gains(ranking):
    """Return the discounted gain per row if all true labels came first; 1 for rows without any."""
    sums = np.cumsum(rank_discounts(ranking.is_hit.shape[1]))
    return sums[np.clip(ranking.n_true, 1, len(sums)) - 1]


def check_k(k):
    """Raise an error unless `k` is a positive integer."""
    if not isinstance(k, numbers.Integral) or isinstance(k, (bool, np.bool_)):
        raise TypeError(f"k must be a positive integer; got {plain_value(k)!r}.")
    if k < 1:
        raise ValueError(f"k must be a positive integer; got {k}.")


def rank_labels(y_true, y_score, k, *, ignore=None, sample_weight=None):
    """Check all arguments, then rank the labels of each row and look them up in `y_true`."""
    return rank_candidates(read_arguments(y_true, y_score, k, ignore, sample_weight), k)


def read_arguments(y_true, y_score, k, ignore, sample_weight):
    """Return `RankingArguments`; raise an error if an argument is invalid."""
    check_k(k)
    named = replace_names(y_true, y_score, k, ignore)
    true = as_indicator(named.y_true, "y_true")
    ignored = read_ignored(named.ignore, true)
    weights = check_sample_weight(sample_weight, true.n_rows)
    blocks = check_scores(named.y_score, (true.n_rows, true.n_labels), k)
    true, blocks = remove_ignored(true, ignored), skip_ignored(blocks, ignored)
    return RankingArguments(true, blocks, weights, named.classes)


def rank_candidates(arguments, k):
    """Return the `Ranking` of `RankingArguments`, which can be used only once."""
    true = arguments.true
    # k may exceed the number of labels, but the arrays need no columns for the difference.
    n_columns = int(min(k, true.n_labels))
    top_labels = np.empty((true.n_rows, n_columns), dtype=np.int64)
    is_hit = np.empty((true.n_rows, n_columns), dtype=bool)
    for block in arguments.blocks:
        n_rows = len(block.indptr) - 1
        row_slice = slice(block.first_row, block.first_row + n_rows)
        top = select_top_labels(block.indptr, block.labels, block.scores, n_columns)
        top_labels[row_slice] = top
        is_hit[row_slice] = mark_true_labels(true, row_slice, np.arange(n_rows)[:, None], top)
    return Ranking(top_labels, is_hit, true, np.diff(true.indptr), arguments.row_weights)


def select_top_labels(indptr, labels, scores, k):
    """Return the k best labels per row, best first, padded with -1; shape (n_rows, k).

    Scores of -inf are ignored, and ties keep their order. Only candidates that reach the k-th
    best score of their row are sorted.
    """
    n_rows, lengths = len(indptr) - 1, np.diff(indptr)
    threshold = np.full(n_rows, -np.inf, dtype=scores.dtype)
    long_rows = np.flatnonzero(lengths > k)
    # The k-th best scores are found for many rows at once, padded to equal length. Rows are grouped
    # by the power of two of their length, so that one long row does not pad all others.
    length_class = np.frexp(lengths[long_rows])[1]
    for each_class in np.unique(length_class):
        rows = long_rows[length_class == each_class]
        slot = np.arange(lengths[rows].max())
        position = indptr[rows][:, None] + slot
        padded = scores[np.minimum(position, len(scores) - 1)]
        padded[slot >= lengths[rows][:, None]] = -np.inf
        kth = len(slot) - k
        threshold[rows] = np.partition(padded, kth, axis=1)[:, kth]
    selected = np.flatnonzero((scores >= np.repeat(threshold, lengths)) & (scores > -np.inf))
    rows = np.searchsorted(indptr, selected, side="right") - 1
    labels = labels[selected]
    order = np.lexsort((-scores[selected], rows))  # stable
    rows, labels = rows[order], labels[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, np.arange(n_rows))[rows]
    top = np.full((n_rows, k), -1, dtype=np.int64)
    is_top = rank < k
    top[rows[is_top], rank[is_top]] = labels[is_top]
    return top
