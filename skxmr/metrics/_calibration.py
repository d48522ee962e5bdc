"""Differences between scores and probabilities, over the (row, label) pairs that have a score."""

from numbers import Integral
from typing import NamedTuple

import numpy as np

from skxmr.metrics._candidates import as_indicator, check_scores, mark_true_labels
from skxmr.metrics._ignored_pairs import read_ignored, skip_ignored
from skxmr.metrics._row_weights import check_sample_weight

_STRATEGIES = ("uniform", "quantile")


def calibration_curve(
    y_true, y_score, *, n_bins=10, strategy="uniform", ignore=None, sample_weight=None
):
    """Compute true and predicted probabilities per bin of the score, for a reliability diagram.

    All scored (row, label) pairs form one sample, as if each pair were a row of a binary problem.
    In sparse scores, pairs without a stored score are ignored. Most pairs of sparse scores are
    near 0. To evaluate only the labels that users see, pass the tuple that
    ``predict_topk(X, k)`` returns.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the true labels: zeros and ones.
    y_score : sparse matrix, array-like or (indices, scores)
        Probabilities of the labels, in one of the first three forms that `precision_at_k` accepts.
    n_bins : int, default=10
        Number of bins. More bins show more detail and need more pairs.
    strategy : {"uniform", "quantile"}, default="uniform"
        How the bins are chosen: "uniform" for bins of equal width, "quantile" for bins with the
        same number of pairs.
    ignore : sparse matrix or array-like of shape (n_samples, n_labels), default=None
        Indicator of the (row, label) pairs to leave out.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights of the rows; each pair has the weight of its row. The edges of quantile
        bins do not depend on positive weights. If None, all rows have the same weight.

    Returns
    -------
    prob_true : ndarray of shape (n_bins,) or smaller, dtype float64
        Fraction of true labels in each nonempty bin.
    prob_pred : ndarray of shape (n_bins,) or smaller, dtype float64
        Mean score in each nonempty bin.

    Raises
    ------
    ValueError
        If `n_bins`, `strategy`, `ignore` or `sample_weight` is invalid, shapes differ, `y_true`
        contains a value other than 0 and 1, or a score is outside [0, 1].

    See Also
    --------
    expected_calibration_error : Mean difference of the two curves, as one number.
    sklearn.calibration.calibration_curve : Calibration curve of a binary target.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from skxmr.metrics import calibration_curve
    >>> y_true = csr_array([[1, 0, 1, 0], [0, 1, 0, 0]])
    >>> y_score = csr_array([[0.75, 0.25, 0.75, 0.0], [0.0, 0.25, 0.25, 0.25]])
    >>> prob_true, prob_pred = calibration_curve(y_true, y_score, n_bins=2)
    >>> prob_true, prob_pred
    (array([0.25, 1.  ]), array([0.25, 0.75]))
    """
    bins = _sum_bins(y_true, y_score, n_bins, strategy, ignore, sample_weight)
    nonempty = bins.n_pairs > 0
    n_pairs = bins.n_pairs[nonempty]
    return bins.n_true[nonempty] / n_pairs, bins.score_sum[nonempty] / n_pairs


def expected_calibration_error(
    y_true, y_score, *, n_bins=10, strategy="uniform", ignore=None, sample_weight=None
):
    """Compute the mean difference between score and observed frequency of the scored pairs.

    In each bin, the mean score is compared with the fraction of true labels. Bins are weighted by
    their number of (row, label) pairs, or by the sum of the weights of these pairs [1]_. If sparse
    scores cover hundreds of labels per row, nearly all pairs are near 0, and so is the error. To
    evaluate only the top labels, pass the tuple that ``predict_topk(X, k)`` returns.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the true labels: zeros and ones.
    y_score : sparse matrix, array-like or (indices, scores)
        Probabilities of the labels, in one of the first three forms that `precision_at_k` accepts.
    n_bins : int, default=10
        Number of bins. More bins detect smaller deviations but need more pairs, because noise
        within a bin counts as an error.
    strategy : {"uniform", "quantile"}, default="uniform"
        How the bins are chosen: "uniform" for bins of equal width, "quantile" for bins with the
        same number of pairs.
    ignore : sparse matrix or array-like of shape (n_samples, n_labels), default=None
        Indicator of the (row, label) pairs to leave out.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights of the rows; each pair has the weight of its row. The edges of quantile
        bins do not depend on positive weights. If None, all rows have the same weight.

    Returns
    -------
    float
        Error in [0, 1]; 0 for calibrated scores. NaN if no pair has a score.

    Raises
    ------
    ValueError
        If an argument is invalid, as in `calibration_curve`.

    References
    ----------
    .. [1] M. P. Naeini, G. F. Cooper, M. Hauskrecht (2015). "Obtaining Well Calibrated
       Probabilities Using Bayesian Binning". AAAI.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from skxmr.metrics import expected_calibration_error
    >>> y_true = csr_array([[1, 0, 1, 0], [0, 1, 0, 0]])
    >>> y_score = csr_array([[0.75, 0.25, 0.75, 0.0], [0.0, 0.25, 0.25, 0.25]])
    >>> round(expected_calibration_error(y_true, y_score, n_bins=2), 4)
    0.0833
    """
    bins = _sum_bins(y_true, y_score, n_bins, strategy, ignore, sample_weight)
    if not bins.n_pairs.sum():
        return float("nan")
    return float(np.abs(bins.score_sum - bins.n_true).sum() / bins.n_pairs.sum())


class _BinSums(NamedTuple):
    """Weighted sums over the pairs of each bin; arrays of shape (n_bins,), float64."""

    n_pairs: np.ndarray
    n_true: np.ndarray
    score_sum: np.ndarray


class _PairBlock(NamedTuple):
    """The scored (row, label) pairs of consecutive rows."""

    row_slice: slice  # rows of the whole matrix
    rows: np.ndarray  # row of each pair, counted from the start of `row_slice`
    labels: np.ndarray
    scores: np.ndarray  # float64


def _sum_bins(y_true, y_score, n_bins, strategy, ignore, sample_weight):
    if not isinstance(n_bins, Integral) or isinstance(n_bins, bool) or n_bins < 1:
        raise ValueError(f"n_bins must be a positive integer; got {n_bins!r}.")
    if strategy not in _STRATEGIES:
        raise ValueError(f"strategy must be one of {list(_STRATEGIES)}; got {strategy!r}.")
    true = as_indicator(y_true, "y_true")
    ignored = read_ignored(ignore, true)
    row_weights = check_sample_weight(sample_weight, true.n_rows)

    def pair_blocks():
        blocks = check_scores(y_score, (true.n_rows, true.n_labels), k=0)
        return _scored_pair_blocks(skip_ignored(blocks, ignored), row_weights)

    edges = np.linspace(0, 1, n_bins + 1)
    if strategy == "quantile":
        scores = [block.scores for block in pair_blocks()]
        scores = np.concatenate([np.empty(0), *scores])
        edges = np.quantile(scores, edges) if len(scores) else edges
    sums = _BinSums(np.zeros(n_bins), np.zeros(n_bins), np.zeros(n_bins))
    for block in pair_blocks():
        # A score on an edge belongs to the lower bin, as in scikit-learn.
        bins = np.searchsorted(edges[1:-1], block.scores)
        is_true = mark_true_labels(true, block.row_slice, block.rows, block.labels)
        weights = row_weights[block.row_slice][block.rows]
        sums.n_pairs[:] += np.bincount(bins, weights, minlength=n_bins)
        sums.n_true[:] += np.bincount(bins, weights * is_true, minlength=n_bins)
        sums.score_sum[:] += np.bincount(bins, weights * block.scores, minlength=n_bins)
    return sums


def _scored_pair_blocks(blocks, row_weights):
    """Yield `_PairBlock` of rows with a weight; raise ValueError for scores outside [0, 1]."""
    for block in blocks:
        n_rows = len(block.indptr) - 1
        row_slice = slice(block.first_row, block.first_row + n_rows)
        rows = np.repeat(np.arange(n_rows), np.diff(block.indptr))
        is_scored = (block.scores > -np.inf) & (row_weights[row_slice][rows] > 0)
        rows, scores = rows[is_scored], block.scores[is_scored].astype(np.float64, copy=False)
        is_outside = (scores < 0) | (scores > 1)
        if is_outside.any():
            raise ValueError(
                f"y_score must contain probabilities in [0, 1]; got {scores[is_outside][0]}."
            )
        yield _PairBlock(row_slice, rows, block.labels[is_scored], scores)
