"""Ranking of scored labels, and precision, recall and nDCG at k.

`_candidates` turns scores of any form into blocks of (label, score) candidates. From there on
there is one path: `top_labels` picks the k best of each row, `contains` looks them up among the
true labels, and a metric is arithmetic on the resulting (n_samples, k) arrays.
"""

import numbers
from typing import NamedTuple

import numpy as np

from skxmr.metrics._candidates import Indicator, check_indicator, check_scores, contains


class _Ranking(NamedTuple):
    """Best labels of each row, best first, and which of them are true."""

    top: np.ndarray  # (n_samples, min(k, n_labels)), -1 where a row has no more candidates
    hit: np.ndarray  # the same shape, bool
    true: Indicator
    n_true: np.ndarray  # (n_samples,)


def precision_at_k(y_true, y_score, k=5):
    """Compute the fraction of the k best labels that are true, averaged over all rows.

    Every row is divided by `k`, as the scripts of the Extreme Classification Repository do: a row
    with fewer than `k` true labels, or fewer than `k` scored ones, cannot reach 1, and a row
    without true labels counts as 0.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the true labels: zeros and ones of any real dtype. An entry stored twice in a
        sparse matrix counts once.
    y_score : sparse matrix, array-like or (indices, scores)
        One of three forms. A *sparse matrix* (n_samples, n_labels), as ``predict_proba`` gives for
        sparse targets: labels without a stored positive score are never ranked, so that a row may
        have fewer than `k` predictions. A *dense array* (n_samples, n_labels): every label is
        ranked, except where the score is -inf. A *tuple* of two arrays (n_samples, n_columns), as
        ``predict_topk`` gives: label ids and their scores, in any order, with id -1 or score -inf
        where there is no label. Equal scores rank the lower label first.
    k : int, default=5
        How many labels of each row to look at; at least 1. For a tuple it cannot exceed the
        number of columns, unless these hold all labels.

    Returns
    -------
    float
        Precision at k, in [0, 1].

    Raises
    ------
    TypeError
        If `k` is not an integer, or an array does not hold real numbers.
    ValueError
        If shapes differ, `k` is below 1 or beyond the columns of the tuple, `y_true` holds
        anything but 0 and 1, a score is NaN, a sparse score is negative (it would be worse than
        that of the labels left out), or the tuple names a label twice in a row or one that does
        not exist.

    See Also
    --------
    psprecision_at_k : Weighs rare labels more.
    topk_scorer : The same as a scorer for model selection.

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
    """
    ranking = rank(y_true, y_score, k)
    return float(np.count_nonzero(ranking.hit) / (len(ranking.hit) * int(k)))


def recall_at_k(y_true, y_score, k=5):
    """Compute the fraction of the true labels found among the k best, averaged over all rows.

    A row is divided by the number of its true labels, however small `k` is. A row without true
    labels counts as 0, as in scikit-learn.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the true labels: zeros and ones.
    y_score : sparse matrix, array-like or (indices, scores)
        Scores of the labels, in any of the forms that `precision_at_k` describes.
    k : int, default=5
        How many labels of each row to look at; a larger one never lowers the recall.

    Returns
    -------
    float
        Recall at k, in [0, 1].

    Raises
    ------
    TypeError, ValueError
        As `precision_at_k` does.

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
    ranking = rank(y_true, y_score, k)
    return float(np.mean(ranking.hit.sum(axis=1) / np.maximum(ranking.n_true, 1)))


def ndcg_at_k(y_true, y_score, k=5):
    """Compute the normalised discounted cumulative gain at k, averaged over all rows.

    A true label in place r (from 1) gains 1 / log2(r + 1). The sum over the k best labels is
    divided by what the best possible ranking of the row gains, which has min(k, true labels)
    labels. Without equal scores and on dense input this is ``sklearn.metrics.ndcg_score``, whose
    rule for rows without true labels is kept too: they count as 0.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the true labels: zeros and ones.
    y_score : sparse matrix, array-like or (indices, scores)
        Scores of the labels, in any of the forms that `precision_at_k` describes.
    k : int, default=5
        How many labels of each row to look at.

    Returns
    -------
    float
        NDCG at k, in [0, 1].

    Raises
    ------
    TypeError, ValueError
        As `precision_at_k` does.

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
    ranking = rank(y_true, y_score, k)
    gains = ranking.hit @ discounts(ranking.hit.shape[1])
    # A perfect row may come out a rounding error above 1.
    return float(np.mean(np.minimum(gains / ideal_gains(ranking), 1)))


def discounts(n_places):
    """Gain of a true label in each of the first places."""
    return 1 / np.log2(np.arange(2, n_places + 2))


def ideal_gains(ranking):
    """Discounted gain of a row with all its true labels first; 1 for rows without any."""
    sums = np.cumsum(discounts(ranking.hit.shape[1]))
    return sums[np.clip(ranking.n_true, 1, len(sums)) - 1]


def check_k(k):
    """Raise unless `k` is an integer of at least 1."""
    if not isinstance(k, numbers.Integral) or isinstance(k, (bool, np.bool_)):
        raise TypeError(f"k must be an int, got {k!r}")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")


def rank(y_true, y_score, k):
    """Check all arguments, then rank the labels of every row and look them up in `y_true`."""
    check_k(k)
    true = check_indicator(y_true, "y_true")
    n_rows = len(true.indptr) - 1
    blocks = check_scores(y_score, (n_rows, true.n_labels), k)
    # k may be beyond the labels (precision divides by it all the same): no column for that.
    width = int(min(k, true.n_labels))
    top = np.empty((n_rows, width), dtype=np.int64)
    hit = np.empty((n_rows, width), dtype=bool)
    for start, indptr, labels, scores in blocks:
        rows = slice(start, start + len(indptr) - 1)
        top[rows] = top_labels(indptr, labels, scores, width)
        hit[rows] = contains(true, rows, np.arange(len(indptr) - 1)[:, None], top[rows])
    return _Ranking(top, hit, true, np.diff(true.indptr))


def top_labels(indptr, labels, scores, k):
    """Return the k best labels of every row, best first and -1 where there are fewer.

    A score of -inf is no candidate, equal scores go by label. Only what reaches the k-th best
    score of its row is sorted.
    """
    n_rows, lengths = len(indptr) - 1, np.diff(indptr)
    threshold = np.full(n_rows, -np.inf, dtype=scores.dtype)
    long = np.flatnonzero(lengths > k)
    # Rows are padded to equal length to find the k-th best of many at once. Those of like length
    # (the same power of two) go together, so that one long row does not pad all the others.
    size = np.frexp(lengths[long])[1]
    for s in np.unique(size):
        rows = long[size == s]
        slot = np.arange(lengths[rows].max())
        at = indptr[rows][:, None] + slot
        padded = scores[np.minimum(at, len(scores) - 1)]
        padded[slot >= lengths[rows][:, None]] = -np.inf
        place = len(slot) - k
        threshold[rows] = np.partition(padded, place, axis=1)[:, place]
    kept = np.flatnonzero((scores >= np.repeat(threshold, lengths)) & (scores > -np.inf))
    row = np.searchsorted(indptr, kept, side="right") - 1
    labels = labels[kept]
    order = np.lexsort((labels, -scores[kept], row))
    row, labels = row[order], labels[order]
    place = np.arange(len(row)) - np.searchsorted(row, np.arange(n_rows))[row]
    top = np.full((n_rows, k), -1, dtype=np.int64)
    inside = place < k
    top[row[inside], place[inside]] = labels[inside]
    return top
