"""How far scores are from probabilities, over the (row, label) pairs that have one."""

from numbers import Integral

import numpy as np

from skxmr.metrics._candidates import check_indicator, check_scores, contains

_STRATEGIES = ("uniform", "quantile")


def calibration_curve(y_true, y_score, *, n_bins=10, strategy="uniform"):
    """Compute the true and the predicted probability in bins of the score: a reliability diagram.

    All scored (row, label) pairs are one sample, as if each were a row of a binary problem. Where
    scores are sparse, pairs without a stored score are left out. Most pairs of a sparse score are
    near 0; to see the labels that users see, pass the tuple of ``predict_topk(X, k)``.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the true labels: zeros and ones.
    y_score : sparse matrix, array-like or (indices, scores)
        Probabilities of the labels, in any of the forms that `precision_at_k` describes.
    n_bins : int, default=10
        How many bins; more show more and need more pairs.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or bins that hold equally many pairs.

    Returns
    -------
    prob_true : ndarray of shape (n_bins,) or smaller
        Fraction of true labels in each bin that is not empty.
    prob_pred : ndarray of shape (n_bins,) or smaller
        Mean score in each of these bins.

    Raises
    ------
    ValueError
        If `n_bins` or `strategy` is not one of the above, shapes differ, `y_true` holds anything
        but 0 and 1, or a score is not in [0, 1].

    See Also
    --------
    expected_calibration_error : The mean distance of the two, in one number.
    sklearn.calibration.calibration_curve : The same for a binary target.

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
    counts, n_true, score_sums = _binned(y_true, y_score, n_bins, strategy)
    filled = counts > 0
    return n_true[filled] / counts[filled], score_sums[filled] / counts[filled]


def expected_calibration_error(y_true, y_score, *, n_bins=10, strategy="uniform"):
    """Compute the mean distance between score and frequency of the scored pairs, by bins.

    In each bin of the score, the mean score is compared with the fraction of true labels; bins
    count by the number of their (row, label) pairs [1]_. With sparse scores of hundreds of labels
    a row, nearly all pairs are near 0, and so is this figure: pass the tuple of
    ``predict_topk(X, k)`` to judge the best labels alone.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the true labels: zeros and ones.
    y_score : sparse matrix, array-like or (indices, scores)
        Probabilities of the labels, in any of the forms that `precision_at_k` describes.
    n_bins : int, default=10
        How many bins. More find more and need more pairs: noise in a bin counts as an error.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or bins that hold equally many pairs.

    Returns
    -------
    float
        The error, in [0, 1]; 0 is calibrated. NaN if no pair has a score.

    Raises
    ------
    ValueError
        As `calibration_curve` does.

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
    counts, n_true, score_sums = _binned(y_true, y_score, n_bins, strategy)
    if not counts.sum():
        return float("nan")
    return float(np.abs(score_sums - n_true).sum() / counts.sum())


def _binned(y_true, y_score, n_bins, strategy):
    """Count pairs and true pairs and add up the scores of each bin."""
    if not isinstance(n_bins, Integral) or isinstance(n_bins, bool) or n_bins < 1:
        raise ValueError(f"n_bins must be an integer from 1 up, got {n_bins!r}")
    if strategy not in _STRATEGIES:
        raise ValueError(f"strategy must be one of {list(_STRATEGIES)}, got {strategy!r}")
    true = check_indicator(y_true, "y_true")
    shape = (len(true.indptr) - 1, true.n_labels)
    edges = np.linspace(0, 1, n_bins + 1)
    if strategy == "quantile":
        scores = [scores for *_, scores in _pairs(y_score, shape)]
        scores = np.concatenate([np.empty(0), *scores])
        edges = np.quantile(scores, edges) if len(scores) else edges
    sums = np.zeros((3, n_bins))
    for rows, row, labels, scores in _pairs(y_score, shape):
        # A score on an edge belongs below, as in scikit-learn.
        bins = np.searchsorted(edges[1:-1], scores)
        hits = contains(true, rows, row, labels)
        for total, weights in zip(sums, (None, hits, scores), strict=True):
            total += np.bincount(bins, weights, minlength=n_bins)
    return sums


def _pairs(y_score, shape):
    """Yield the slice of rows of each block, and row (in the block), label and score of pairs."""
    for start, indptr, labels, scores in check_scores(y_score, shape, k=0):
        n_rows = len(indptr) - 1
        scored = scores > -np.inf
        row = np.repeat(np.arange(n_rows), np.diff(indptr))[scored]
        labels, scores = labels[scored], scores[scored].astype(np.float64, copy=False)
        wrong = (scores < 0) | (scores > 1)
        if wrong.any():
            raise ValueError(f"y_score must hold probabilities in [0, 1], got {scores[wrong][0]}")
        yield slice(start, start + n_rows), row, labels, scores
