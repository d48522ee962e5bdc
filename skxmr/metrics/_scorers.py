"""Scorers for model selection that never make a sparse target dense.

scikit-learn's own scorers ask ``type_of_target`` first, which takes a sparse target of one or two
columns for a binary one and sorts all classes of a large one. These go straight to the metric.
"""

import numpy as np
import scipy.sparse as sp

from skxmr._core.estimators import find_topk_estimator
from skxmr.metrics._propensity import check_propensities, psndcg_at_k, psprecision_at_k
from skxmr.metrics._ranking import check_k, ndcg_at_k, precision_at_k, recall_at_k

_METRICS = {
    "precision": precision_at_k,
    "recall": recall_at_k,
    "ndcg": ndcg_at_k,
    "psprecision": psprecision_at_k,
    "psndcg": psndcg_at_k,
}
_WITH_PROPENSITIES = ("psprecision", "psndcg")


def topk_scorer(metric="precision", k=1, *, propensities=None):
    """Make a scikit-learn scorer of a ranking metric.

    The result is called as ``scorer(estimator, X, y)`` and goes wherever scikit-learn takes
    ``scoring``: ``GridSearchCV``, ``cross_validate``, a dict of several. It can be pickled.

    The labels are ranked by ``estimator.predict_topk(X, k)`` if there is such a method, else by
    ``predict_proba``, else by ``decision_function``. A ``Pipeline`` whose last step has
    ``predict_topk`` transforms `X` first; a fitted search stands for its ``best_estimator_``.

    Parameters
    ----------
    metric : {"precision", "recall", "ndcg", "psprecision", "psndcg"}, default="precision"
        Which of the metrics ``<metric>_at_k`` of this module.
    k : int, default=1
        How many labels of each row to look at; an estimator with ``predict_topk`` is asked for no
        more, so a small `k` is fast.
    propensities : array-like of shape (n_labels,), default=None
        Needed by "psprecision" and "psndcg", and by no other. Best taken from all the training
        labels once: a propensity should not depend on the split.

    Returns
    -------
    callable
        A scorer, greater is better, with scores in [0, 1]. Its `y` is an indicator of shape
        (n_samples, n_labels), sparse or dense, or a one-dimensional array of the classes in
        ``estimator.classes_``, where "precision" at 1 is accuracy and "recall" is top-k accuracy.

    Raises
    ------
    TypeError
        If `k` is not an integer; when called, if the estimator has none of the three methods, or
        gives a list of arrays.
    ValueError
        If `metric` is unknown, `k` is below 1, or `propensities` are missing, not needed or not in
        (0, 1]; when called, as the metrics do, and if `y` holds an unknown class.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skxmr.metrics import topk_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> scorer = topk_scorer("recall", k=2)
    >>> scorer
    topk_scorer('recall', k=2)
    >>> cross_val_score(GaussianNB(), X, y, scoring=scorer, cv=3)
    array([1., 1., 1.])
    """
    if metric not in _METRICS:
        raise ValueError(f"metric must be one of {list(_METRICS)}, got {metric!r}")
    check_k(k)
    if (propensities is not None) != (metric in _WITH_PROPENSITIES):
        raise ValueError(
            f"propensities must be given for the metrics {list(_WITH_PROPENSITIES)} and no other, "
            f"got metric {metric!r} with{'out' * (propensities is None)} propensities"
        )
    if propensities is not None:
        propensities = check_propensities(propensities)
    return _TopkScorer(metric, int(k), propensities)


class _TopkScorer:
    """What `topk_scorer` returns; never changes once made."""

    def __init__(self, metric, k, propensities):
        self._metric = metric
        self._k = k
        self._propensities = propensities

    def __repr__(self):
        n = None if self._propensities is None else len(self._propensities)
        given = "" if n is None else f", propensities=<{n} values>"
        return f"topk_scorer({self._metric!r}, k={self._k}{given})"

    def __sklearn_clone__(self):
        # Nothing is fitted here, and a copy of all propensities for each clone is a waste.
        return self

    def __call__(self, estimator, X, y):
        y = y if sp.issparse(y) else np.asarray(y)
        if y.ndim == 1 and not sp.issparse(y):
            y = _one_hot(estimator, y)
        extra = {} if self._propensities is None else {"propensities": self._propensities}
        return _METRICS[self._metric](y, scores_for_topk(estimator, X, self._k), self._k, **extra)


def _one_hot(estimator, y):
    """Indicator of one-dimensional `y`, columns as in ``estimator.classes_``."""
    classes = getattr(estimator, "classes_", None)
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:
        raise ValueError(
            "y must be an indicator of shape (n_samples, n_labels), got shape "
            f"{y.shape}; one-dimensional y needs an estimator with classes_"
        )
    # classes_ are sorted by scikit-learn's contract.
    column = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    unknown = classes[column] != y
    if unknown.any():
        raise ValueError(f"y must hold classes of the estimator only, got {y[unknown][0]!r}")
    parts = (np.ones(len(y), dtype=np.int8), column, np.arange(len(y) + 1))
    return sp.csr_array(parts, shape=(len(y), len(classes)))


def scores_for_topk(estimator, X, k):
    """Scores of the labels of `X`, in a form that the metrics take."""
    ranker, transformers = find_topk_estimator(estimator)
    if ranker is not None:
        for transformer in transformers:
            X = transformer.transform(X)
        return tuple(ranker.predict_topk(X, k))
    for name in ("predict_proba", "decision_function"):
        if hasattr(estimator, name):
            break
    else:
        raise TypeError(
            "estimator must have predict_topk, predict_proba or decision_function, got "
            f"{type(estimator).__name__}"
        )
    scores = getattr(estimator, name)(X)
    if isinstance(scores, (list, tuple)):
        raise TypeError(
            f"estimator must give all scores in one array, got a {type(scores).__name__} from "
            f"{name} of {type(estimator).__name__}"
        )
    if scores.ndim == 1:  # one label, or the second of two classes
        n_classes = len(getattr(estimator, "classes_", ()))
        scores = np.column_stack([-scores, scores] if n_classes == 2 else [scores])
    return scores
