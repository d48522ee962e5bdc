"""Label propensities, and the metrics that weight each label by its inverse propensity.

In a large label set, many true labels of a row are missing from the data, rare labels more often
than frequent ones. The propensity of a label is the probability that the label is in the data if
it is true. Dividing each hit by the propensity gives more weight to rare labels.
"""

import numbers
from typing import NamedTuple

import numpy as np

from skxmr._core.label_names import binarize_names, find_label_names
from skxmr._core.target_containers import holds_names, read_targets
from skxmr.metrics._candidates import as_indicator, slice_csr_rows
from skxmr.metrics._named_labels import read_propensities
from skxmr.metrics._ranking import (
    Ranking,
    ideal_gains,
    rank_candidates,
    rank_discounts,
    read_arguments,
    select_top_labels,
)

# Minimum number of rows from which propensities can be estimated. With fewer rows,
# log(n_samples) - 1 is negative, and so is the constant C of the model.
MIN_PROPENSITY_ROWS = 3


def label_propensities(Y, a=0.55, b=1.5, *, sample_weight=None):
    """Estimate the propensity of each label from the training labels.

    The propensity of a label is the probability that a true label was recorded in the data. The
    model of [1]_ is p = 1 / (1 + C * (f + b) ** -a) with C = (log(n_samples) - 1) * (b + 1) ** a,
    where f is the number of rows with the label.

    Parameters
    ----------
    Y : array-like or sparse matrix of shape (n_samples, n_labels), or list of n_samples lists
        The *training* labels: an indicator, or lists of labels, with at least 3 rows. Results with
        propensities of test labels cannot be compared with published results.
    a : float, default=0.55
        Positive exponent: how fast the propensity rises with the label frequency. [1]_ uses 0.5
        for WikiLSHTC, 0.6 for Amazon and 0.55 for other data sets.
    b : float, default=1.5
        Positive offset that raises the propensity of rare labels. [1]_ uses 0.4 for WikiLSHTC,
        2.6 for Amazon and 1.5 for other data sets.
    sample_weight : array-like of shape (n_samples,), default=None
        Number of times that each row counts. If None, each row counts once.

    Returns
    -------
    ndarray of shape (n_labels,), dtype float64, or dict of label to float
        Propensities in (0, 1], for the argument `propensities` of the metrics: an array by column
        of an indicator, or a dict for lists of labels.

    Raises
    ------
    TypeError
        If `a` or `b` is not a number.
    ValueError
        If `a` or `b` is not positive and finite, or `Y` contains a value other than 0 and 1 or has
        fewer than 3 rows (C would not be positive). Also if `sample_weight` has a wrong length, a
        negative value or a sum of less than 3.

    References
    ----------
    .. [1] H. Jain, Y. Prabhu, M. Varma. Extreme multi-label loss functions for recommendation,
       tagging, ranking & other missing label applications. KDD 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.metrics import label_propensities
    >>> Y = np.array([[1, 0], [1, 0], [1, 0], [1, 1]])
    >>> label_propensities(Y).round(3)
    array([0.8  , 0.721])
    """
    for name, value in (("a", a), ("b", b)):
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            raise TypeError(f"{name} must be a number; got {value!r}.")
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be positive and finite; got {value}.")
    Y = read_targets(Y, "Y")
    if holds_names(Y):
        classes = find_label_names(Y, "Y")
        values = label_propensities(
            binarize_names(Y, classes), a=a, b=b, sample_weight=sample_weight
        )
        return dict(zip(classes.tolist(), values.tolist(), strict=True))
    indicator = as_indicator(Y, "Y")
    n_rows = indicator.n_rows
    if n_rows < MIN_PROPENSITY_ROWS:
        raise ValueError(f"Y must have at least {MIN_PROPENSITY_ROWS} rows; got {n_rows}.")
    weights = None
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight, dtype=np.float64)
        if sample_weight.shape != (n_rows,):
            raise ValueError(
                f"sample_weight must have shape ({n_rows},), one weight per row of Y; got shape "
                f"{sample_weight.shape}."
            )
        weights = np.repeat(sample_weight, np.diff(indicator.indptr))
        n_rows = sample_weight.sum()
        if not (np.all(sample_weight >= 0) and MIN_PROPENSITY_ROWS <= n_rows < np.inf):
            raise ValueError(
                "sample_weight must be finite and nonnegative with a sum of at least "
                f"{MIN_PROPENSITY_ROWS}; got a minimum of {sample_weight.min()} and a sum of "
                f"{n_rows}."
            )
    frequency = np.bincount(indicator.labels, weights, minlength=indicator.n_labels)
    c = (np.log(n_rows) - 1) * (b + 1) ** a
    return 1 / (1 + c * (frequency + b) ** -a)


def psprecision_at_k(y_true, y_score, k=5, *, propensities, ignore=None, sample_weight=None):
    """Compute the propensity-scored precision at k, which gives more weight to rare labels.

    A hit counts 1 / propensity of its label. The sum over all rows is divided by the sum of the
    best possible rankings [1]_, as in the scripts of the Extreme Classification Repository. The
    result is one ratio, not a mean of ratios, so rows without true labels have no effect.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or list of n_samples lists
        Indicator of the true labels, or lists of labels if `y_score` is a result of `suggest`.
    y_score : sparse matrix, array-like, (indices, scores) or list
        Scores of the labels, in one of the forms that `precision_at_k` accepts.
    k : int, default=5
        Number of labels to evaluate per row.
    propensities : array-like of shape (n_labels,) or dict of label to float
        Propensity of each label, in (0, 1], as `label_propensities` estimates it from the training
        labels. A dict for lists of labels; missing labels have its smallest value. If all are
        equal, the metric is the precision divided by the best possible precision.
    ignore : sparse matrix or array-like of shape (n_samples, n_labels), default=None
        Indicator of the (row, label) pairs to leave out; see `precision_at_k`.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights of the rows in both sums. If None, all rows have the same weight.

    Returns
    -------
    float
        Propensity-scored precision at k, in [0, 1]; 0 if no row has a true label.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, as in `precision_at_k`. ValueError also if `propensities` has a
        wrong length or values outside (0, 1].

    See Also
    --------
    label_propensities : Estimate the propensities.

    References
    ----------
    .. [1] H. Jain, Y. Prabhu, M. Varma. Extreme multi-label loss functions for recommendation,
       tagging, ranking & other missing label applications. KDD 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.metrics import psprecision_at_k
    >>> y_true = np.array([[1, 0, 0], [0, 0, 1]])
    >>> y_score = np.array([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1]])
    >>> psprecision_at_k(y_true, y_score, k=1, propensities=[0.5, 0.5, 0.25])
    0.3333333333333333
    """
    weighted = _weight_hits(y_true, y_score, k, propensities, ignore, sample_weight)
    return weighted.ratio(lambda weights: weights.sum(axis=1))


def psrecall_at_k(y_true, y_score, k=5, *, propensities, ignore=None, sample_weight=None):
    """Compute the propensity-scored recall at k, which gives more weight to rare labels.

    A hit counts 1 / propensity of its label. The sum of a row is divided by the number of its true
    labels. The mean over all rows is divided by the mean of the best possible rankings, as in
    pyxclib, the evaluation tools of the Extreme Classification Repository [1]_. Rows without true
    labels have no effect. The result is 1 if each row has its rarest true labels among the top k,
    even if it has more than `k` true labels.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or list of n_samples lists
        Indicator of the true labels, or lists of labels if `y_score` is a result of `suggest`.
    y_score : sparse matrix, array-like, (indices, scores) or list
        Scores of the labels, in one of the forms that `precision_at_k` accepts.
    k : int, default=5
        Number of labels to evaluate per row.
    propensities : array-like of shape (n_labels,) or dict of label to float
        Propensity of each label, in (0, 1], as `label_propensities` estimates it from the training
        labels. A dict for lists of labels; missing labels have its smallest value. If all are
        equal, the metric is the recall divided by the best possible recall.
    ignore : sparse matrix or array-like of shape (n_samples, n_labels), default=None
        Indicator of the (row, label) pairs to leave out; see `precision_at_k`.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights of the rows in both sums. If None, all rows have the same weight.

    Returns
    -------
    float
        Propensity-scored recall at k, in [0, 1]; 0 if no row has a true label.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, as in `psprecision_at_k`.

    See Also
    --------
    label_propensities : Estimate the propensities.

    References
    ----------
    .. [1] K. Bhatia, K. Dahiya, H. Jain, P. Kar, A. Mittal, Y. Prabhu, M. Varma. The extreme
       classification repository: multi-label datasets and code. 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.metrics import psrecall_at_k
    >>> y_true = np.array([[1, 0, 1], [0, 1, 0]])
    >>> y_score = np.array([[0.9, 0.5, 0.7], [0.1, 0.9, 0.5]])
    >>> round(psrecall_at_k(y_true, y_score, k=1, propensities=[0.5, 0.5, 0.25]), 4)
    0.75
    """
    weighted = _weight_hits(y_true, y_score, k, propensities, ignore, sample_weight)
    n_true = np.maximum(weighted.ranking.n_true, 1)
    return weighted.ratio(lambda weights: weights.sum(axis=1) / n_true)


def psndcg_at_k(y_true, y_score, k=5, *, propensities, ignore=None, sample_weight=None):
    """Compute the propensity-scored nDCG at k, which gives more weight to rare labels.

    A hit at rank r, counted from 1, gains 1 / (propensity * log2(r + 1)). The gain of a row is
    divided by the sum of 1 / log2(r + 1) over its first min(k, number of true labels) ranks. The
    mean over all rows is divided by the mean of the best possible rankings [1]_, as in the scripts
    of the Extreme Classification Repository. Rows without true labels have no effect.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or list of n_samples lists
        Indicator of the true labels, or lists of labels if `y_score` is a result of `suggest`.
    y_score : sparse matrix, array-like, (indices, scores) or list
        Scores of the labels, in one of the forms that `precision_at_k` accepts.
    k : int, default=5
        Number of labels to evaluate per row.
    propensities : array-like of shape (n_labels,) or dict of label to float
        Propensity of each label, in (0, 1], as `label_propensities` estimates it from the training
        labels. A dict for lists of labels; missing labels have its smallest value. If all are
        equal, the metric is the nDCG over the rows that have true labels.
    ignore : sparse matrix or array-like of shape (n_samples, n_labels), default=None
        Indicator of the (row, label) pairs to leave out; see `precision_at_k`.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights of the rows in both sums. If None, all rows have the same weight.

    Returns
    -------
    float
        Propensity-scored nDCG at k, in [0, 1]; 0 if no row has a true label.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, as in `psprecision_at_k`.

    See Also
    --------
    label_propensities : Estimate the propensities.

    References
    ----------
    .. [1] H. Jain, Y. Prabhu, M. Varma. Extreme multi-label loss functions for recommendation,
       tagging, ranking & other missing label applications. KDD 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.metrics import psndcg_at_k
    >>> y_true = np.array([[1, 0, 1]])
    >>> y_score = np.array([[0.9, 0.5, 0.7]])
    >>> round(psndcg_at_k(y_true, y_score, k=2, propensities=[0.5, 0.5, 0.25]), 4)
    0.8597
    """
    weighted = _weight_hits(y_true, y_score, k, propensities, ignore, sample_weight)
    discounts, ideal = rank_discounts(weighted.hit_weights.shape[1]), ideal_gains(weighted.ranking)
    return weighted.ratio(lambda weights: weights @ discounts / ideal)


def check_propensities(propensities):
    """Return propensities as a new one-dimensional float64 array with values in (0, 1]."""
    values = np.asarray(propensities)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"propensities must contain real numbers; got dtype {values.dtype}.")
    if values.ndim != 1:
        raise ValueError(f"propensities must have shape (n_labels,); got shape {values.shape}.")
    is_outside = ~((values > 0) & (values <= 1))  # true for NaN
    if is_outside.any():
        raise ValueError(
            f"propensities must be in (0, 1]; got {values[is_outside][0]} for label "
            f"{np.flatnonzero(is_outside)[0]}."
        )
    return values.astype(np.float64)


class _WeightedHits(NamedTuple):
    """A ranking with the inverse propensity of each hit; arrays of shape (n_samples, k)."""

    ranking: Ranking
    hit_weights: np.ndarray  # 0 for labels that are not true
    best_weights: np.ndarray  # of the best possible ranking: true labels, rarest first

    def ratio(self, sum_rows):
        """Return the sum over rows of `sum_rows` of the hits, divided by the best possible sum."""
        value = np.sum(self.ranking.row_weights * sum_rows(self.hit_weights))
        best = np.sum(self.ranking.row_weights * sum_rows(self.best_weights))
        # Rounding can lift a perfect ranking slightly above 1.
        return min(float(value / best), 1.0) if best > 0 else 0.0


def _weight_hits(y_true, y_score, k, propensities, ignore, sample_weight):
    # Weights of the ranking by `y_score`, and of the best possible ranking.
    arguments = read_arguments(y_true, y_score, k, ignore, sample_weight)
    propensities = check_propensities(read_propensities(propensities, arguments.classes))
    true_labels = arguments.true
    if len(propensities) != true_labels.n_labels:
        raise ValueError(
            f"propensities must have one value for each of the {true_labels.n_labels} labels of "
            f"y_true; got {len(propensities)} values."
        )
    ranking = rank_candidates(arguments, k)
    weights = 1 / propensities
    hit_weights = np.where(ranking.is_hit, weights[ranking.top_labels], 0)
    best_weights = np.zeros_like(hit_weights)
    for row_slice in slice_csr_rows(true_labels.indptr):
        indptr = true_labels.indptr[row_slice.start : row_slice.stop + 1]
        labels = true_labels.labels[indptr[0] : indptr[-1]]
        top = select_top_labels(indptr - indptr[0], labels, weights[labels], hit_weights.shape[1])
        # top is -1 if the row has fewer than k true labels.
        best_weights[row_slice] = np.where(top >= 0, weights[top], 0)
    return _WeightedHits(ranking, hit_weights, best_weights)
