"""Metrics that count the predictions of each label, so that rare labels count as much as frequent.

The top k labels of each row are its predictions. Each label has a number of rows with the label,
of rows with the prediction, and of rows with both.
"""

from typing import NamedTuple

import numpy as np

from skxmr.metrics._ranking import rank_labels


class LabelCounts(NamedTuple):
    """Numbers of rows per label, or sums of their weights; shape (n_labels,), float64."""

    n_true: np.ndarray
    n_predicted: np.ndarray
    n_hits: np.ndarray

    @property
    def f1(self):
        """F1 of each label; 0 for labels that are neither true nor predicted."""
        size = self.n_true + self.n_predicted
        return np.divide(2 * self.n_hits, size, out=np.zeros(len(size)), where=size > 0)


def coverage_at_k(y_true, y_score, k=5, *, ignore=None, sample_weight=None):
    """Compute the fraction of the labels in `y_true` that are hit in at least one row.

    A label is hit in a row if it is true and among the top k labels of the row. Labels without a
    row in `y_true` are ignored. A ranking with a high precision can have a low coverage, because
    precision depends mostly on frequent labels.

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
        Nonnegative weights of the rows. Only rows with a positive weight count, and their weights
        make no difference.

    Returns
    -------
    float
        Coverage at k, in [0, 1]; 0 if no row has a true label.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, as in `precision_at_k`.

    See Also
    --------
    macro_f1_at_k : Metric that also depends on the wrong predictions of each label.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.metrics import coverage_at_k
    >>> y_true = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0]])
    >>> y_score = np.array([[0.9, 0.5, 0.1, 0.2], [0.9, 0.5, 0.1, 0.2], [0.9, 0.5, 0.1, 0.2]])
    >>> coverage_at_k(y_true, y_score, k=1)
    0.5
    """
    ranking = rank_labels(y_true, y_score, k, ignore=ignore, sample_weight=sample_weight)
    counts = count_labels(ranking)
    return _mean_of_true_labels(counts.n_hits > 0, counts)


def macro_f1_at_k(y_true, y_score, k=5, *, ignore=None, sample_weight=None):
    """Compute the F1 of each label in `y_true` for top-k predictions, averaged over the labels.

    The top k labels of each row are its predictions. The F1 of a label is 2 TP / (2 TP + FP + FN),
    where TP is the number of rows in which the label is true and predicted, FP in which it is only
    predicted, and FN in which it is only true. The mean is over labels with at least one row in
    `y_true`; wrong predictions of other labels only have an effect because they take the places of
    better labels. [1]_ introduces macro metrics at k for the long tail of rare labels.

    With `k` larger than the number of true labels of a row, some of its predictions are wrong, so
    that the value usually cannot reach 1.

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
        Nonnegative weights of the rows in the counts TP, FP and FN. All labels in rows with a
        positive weight have the same weight in the mean. If None, each row counts once.

    Returns
    -------
    float
        Macro F1 at k, in [0, 1]; 0 if no row has a true label.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, as in `precision_at_k`.

    See Also
    --------
    coverage_at_k : Fraction of labels with at least one hit.

    References
    ----------
    .. [1] E. Schultheis, M. Wydmuch, W. Kotlowski, R. Babbar, K. Dembczynski. Generalized test
       utilities for long-tail performance in extreme multi-label classification. NeurIPS 2023.
       The authors' library is xCOLUMNs.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.metrics import macro_f1_at_k
    >>> y_true = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0]])
    >>> y_score = np.array([[0.9, 0.5, 0.1, 0.2], [0.9, 0.5, 0.1, 0.2], [0.9, 0.5, 0.1, 0.2]])
    >>> macro_f1_at_k(y_true, y_score, k=2)
    0.75
    """
    ranking = rank_labels(y_true, y_score, k, ignore=ignore, sample_weight=sample_weight)
    counts = count_labels(ranking)
    return _mean_of_true_labels(counts.f1, counts)


def count_labels(ranking):
    """Return the `LabelCounts` of a `Ranking`."""
    weights, n_labels = ranking.row_weights, ranking.true.n_labels
    top_weights = np.broadcast_to(weights[:, None], ranking.top_labels.shape)

    def count_top(is_counted):
        labels, weights = ranking.top_labels[is_counted], top_weights[is_counted]
        return np.bincount(labels, weights, minlength=n_labels)

    true_weights = np.repeat(weights, ranking.n_true)
    return LabelCounts(
        np.bincount(ranking.true.labels, true_weights, minlength=n_labels),
        count_top(ranking.top_labels >= 0),
        count_top(ranking.is_hit),
    )


def _mean_of_true_labels(values, counts):
    values = values[counts.n_true > 0]
    return float(np.mean(values)) if len(values) else 0.0
