"""Label propensities, and the metrics that weigh a label by the inverse of its propensity.

In a large label set most of the labels that are true of a row were never marked, and the rare ones
are missed most. The propensity of a label is the chance that it is marked where it is true;
dividing each hit by it makes rare labels count more.
"""

import numbers

import numpy as np

from skxmr.metrics._candidates import check_indicator, csr_row_slices
from skxmr.metrics._ranking import discounts, ideal_gains, rank, top_labels


def label_propensities(Y, a=0.55, b=1.5, *, sample_weight=None):
    """Estimate from training labels how likely each label is marked where it is true.

    The model of [1]_: p = 1 / (1 + C * (f + b) ** -a) with C = (log(n_samples) - 1) * (b + 1) ** a,
    where f is the number of rows with the label.

    Parameters
    ----------
    Y : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the *training* labels, at least 3 rows. Taking test labels instead gives
        numbers that cannot be compared with published ones.
    a : float, default=0.55
        How fast the propensity rises with the frequency, above 0. [1]_ takes 0.5 for
        WikiLSHTC, 0.6 for Amazon and the default elsewhere.
    b : float, default=1.5
        How far rare labels are lifted, above 0. [1]_ takes 0.4 for WikiLSHTC, 2.6 for Amazon and
        the default elsewhere.
    sample_weight : array-like of shape (n_samples,), default=None
        Number of times that each row counts. None counts each row once.

    Returns
    -------
    ndarray of shape (n_labels,), dtype float64
        Propensities in (0, 1], for the argument `propensities` of the metrics.

    Raises
    ------
    TypeError
        If `a` or `b` is not a number, or `Y` does not hold real numbers.
    ValueError
        If `a` or `b` is not positive and finite, `Y` holds anything but 0 and 1, or has fewer than
        3 rows (the model needs a C above 0); if `sample_weight` has another length, a negative
        value, or a sum below 3.

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
            raise TypeError(f"{name} must be a number, got {value!r}")
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be positive and finite, got {value}")
    indicator = check_indicator(Y, "Y")
    n_rows = len(indicator.indptr) - 1
    if n_rows < 3:
        raise ValueError(f"Y must have at least 3 rows, got {n_rows}")
    weights = None
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight, dtype=np.float64)
        if sample_weight.shape != (n_rows,):
            raise ValueError(
                f"sample_weight must have the shape ({n_rows},), one weight per row of Y; got "
                f"{sample_weight.shape}"
            )
        weights = np.repeat(sample_weight, np.diff(indicator.indptr))
        n_rows = sample_weight.sum()
        if not (np.all(sample_weight >= 0) and 3 <= n_rows < np.inf):
            raise ValueError(
                "sample_weight must be finite and not negative, and sum to at least 3; got values "
                f"from {sample_weight.min()} that sum to {n_rows}"
            )
    frequency = np.bincount(indicator.labels, weights, minlength=indicator.n_labels)
    c = (np.log(n_rows) - 1) * (b + 1) ** a
    return 1 / (1 + c * (frequency + b) ** -a)


def psprecision_at_k(y_true, y_score, k=5, *, propensities):
    """Compute the propensity-scored precision at k: rare labels count more.

    A hit on a label counts 1 / propensity. The sum over all rows is divided by the sum that the
    best possible rankings reach, as the scripts of the Extreme Classification Repository do: one
    ratio, not a mean of ratios, so rows without true labels make no difference.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the true labels: zeros and ones.
    y_score : sparse matrix, array-like or (indices, scores)
        Scores of the labels, in any of the forms that `precision_at_k` describes.
    k : int, default=5
        How many labels of each row to look at.
    propensities : array-like of shape (n_labels,)
        Propensity of each label, in (0, 1], as `label_propensities` estimates from the training
        labels. All equal, the metric is precision relative to the best possible precision.

    Returns
    -------
    float
        Propensity-scored precision at k, in [0, 1]; 0 if no row has a true label.

    Raises
    ------
    TypeError, ValueError
        As `precision_at_k` does; also if `propensities` has another length than `y_true` has
        columns, or values outside (0, 1].

    See Also
    --------
    label_propensities : Estimates the propensities.

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
    _, reached, best = _weighted(y_true, y_score, k, propensities)
    return _ratio(reached.sum(), best.sum())


def psndcg_at_k(y_true, y_score, k=5, *, propensities):
    """Compute the propensity-scored nDCG at k: rare labels count more, early places count more.

    A hit on a label in place r (from 1) gains 1 / (propensity * log2(r + 1)). The gain of a row is
    divided by the sum of 1 / log2(r + 1) over its min(k, true labels) first places, and the mean
    over all rows by that of the best possible rankings, as the scripts of the Extreme
    Classification Repository do. Rows without true labels make no difference.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels)
        Indicator of the true labels: zeros and ones.
    y_score : sparse matrix, array-like or (indices, scores)
        Scores of the labels, in any of the forms that `precision_at_k` describes.
    k : int, default=5
        How many labels of each row to look at.
    propensities : array-like of shape (n_labels,)
        Propensity of each label, in (0, 1], as `label_propensities` estimates from the training
        labels. All equal, the metric is nDCG over the rows that have true labels.

    Returns
    -------
    float
        Propensity-scored nDCG at k, in [0, 1]; 0 if no row has a true label.

    Raises
    ------
    TypeError, ValueError
        As `psprecision_at_k` does.

    See Also
    --------
    label_propensities : Estimates the propensities.

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
    ranking, reached, best = _weighted(y_true, y_score, k, propensities)
    places, ideal = discounts(reached.shape[1]), ideal_gains(ranking)
    return _ratio((reached @ places / ideal).sum(), (best @ places / ideal).sum())


def check_propensities(propensities):
    """Return propensities as a new one-dimensional float64 array with values in (0, 1]."""
    values = np.asarray(propensities)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"propensities must hold real numbers, got dtype {values.dtype}")
    if values.ndim != 1:
        raise ValueError(f"propensities must have the shape (n_labels,), got {values.shape}")
    outside = ~((values > 0) & (values <= 1))  # true for NaN
    if outside.any():
        raise ValueError(
            f"propensities must be in (0, 1], got {values[outside][0]} for label "
            f"{np.flatnonzero(outside)[0]}"
        )
    return values.astype(np.float64)


def _weighted(y_true, y_score, k, propensities):
    """Rank; return also what each place gains, and what it gains in the best possible ranking."""
    propensities = check_propensities(propensities)
    true = check_indicator(y_true, "y_true")
    if len(propensities) != true.n_labels:
        raise ValueError(
            f"propensities must have one value for each of the {true.n_labels} labels of y_true, "
            f"got {len(propensities)}"
        )
    ranking = rank(true, y_score, k)
    weights = 1 / propensities
    reached = np.where(ranking.hit, weights[ranking.top], 0)
    best = np.zeros_like(reached)
    for rows in csr_row_slices(true.indptr):
        indptr = true.indptr[rows.start : rows.stop + 1]
        labels = true.labels[indptr[0] : indptr[-1]]
        top = top_labels(indptr - indptr[0], labels, weights[labels], best.shape[1])
        best[rows] = np.where(top >= 0, weights[top], 0)
    return ranking, reached, best


def _ratio(reached, best):
    # Perfect rankings may come out a rounding error above 1.
    return min(float(reached / best), 1.0) if best > 0 else 0.0
